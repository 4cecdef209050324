"""What the engine needs from outside, as small interfaces. The composition root brings the implementations."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from runner.model import Job, JobPage, ListedPage, ServiceList
    from runner.plan.rollout.model import PlannedCheck
    from runner.rules.answers import Answer, ReadFailed
    from runner.rules.refused_calls import Identity
    from runner.run.commands import Command
    from runner.run.events import Event


class Departure(Protocol):
    """Who says whether a call may leave."""

    async def leave(self) -> bool:
        """Whether it may, right before it leaves; and again, if it was `refused` and there is another proof now."""
        ...

    def refused(self) -> None:
        """It was refused as unauthenticated; it is looked for another proof now. None other should leave meanwhile."""
        ...


class JobService(Protocol):
    """The Lite Server jobs API of one lane. No call raises for what the service or the network does.

    A `departure` is asked right before a call leaves, however long a login before that took, and again before it leaves
    once more with a credential that was renewed because the first was refused. None: it said no.
    """

    @property
    def identity(self) -> Identity:
        """Who calls are made as now."""
        ...

    async def create(self, body: bytes, departure: Departure) -> Answer | None:
        """Send one create-job request, once. `body` is the exact JSON to sign and send. None: nothing was made."""
        ...

    async def get(self, job_id: str, departure: Departure) -> Job | ReadFailed | None:
        """Read one job with its tasks."""
        ...

    async def list(
        self, *, name: str | None, offset: int, limit: int, departure: Departure
    ) -> JobPage | ReadFailed | None:
        """Read one page of the job list. The service may ignore `offset` and `limit` (api-facts 1.3)."""
        ...


class ListService(Protocol):
    """The lists of one lane but that of jobs: of servers, hyper-instances, templates. Calls are as in `JobService`."""

    @property
    def identity(self) -> Identity:
        """Who calls are made as now."""
        ...

    async def rows(
        self, which: ServiceList, query: Sequence[tuple[str, str]], departure: Departure
    ) -> ListedPage | ReadFailed | None:
        """Read one page of a list. The service may ignore the query (api-facts 1.6, 2)."""
        ...


class MachineClock(Protocol):
    """The clocks of the machine."""

    @property
    def boot(self) -> str:
        """Which clock `monotonic` reads, where that can be told: what one process read another can go on from."""
        ...

    def wall(self) -> float:
        """Epoch seconds, as the wall clock shows them now: somebody may set it, forward or back."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, and go on while the machine sleeps: for waiting and rates."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; timers may be a millisecond or more late, and stand still while the machine sleeps."""
        ...


class Clock(Protocol):
    """The one clock of a run."""

    def now(self) -> float:
        """Epoch seconds by which the run counts, for records and intervals: nobody sets them."""
        ...

    def wall(self) -> float:
        """Epoch seconds, as the wall clock shows them now, for moments that people gave: somebody may set it."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, and go on while the machine sleeps: for waiting and rates."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; timers may be a millisecond or more late, and stand still while the machine sleeps."""
        ...


class Journal(Protocol):
    """The journal of one run that this process owns."""

    def append(self, events: Sequence[Event]) -> Awaitable[None]:
        """Put events at the end, in order; the awaitable is done when they are durable.

        Commits are prefixes: once an event is durable, so is every event appended before it.
        """
        ...

    @property
    def is_owned(self) -> bool:
        """Whether nobody else can have the run at this moment. Otherwise nothing may be sent."""
        ...

    @property
    def is_blocked(self) -> bool:
        """Whether another process holds the store, so that nothing becomes durable for now."""
        ...


class KeptCredentials(Protocol):
    """What all processes that use a state folder note of refused credentials. `salt` is the folder's own."""

    @property
    def salt(self) -> bytes:
        """Where hashes begin that are of no use elsewhere."""
        ...

    def change(self, credential: str, change: Callable[[str | None], str | None]) -> bool:
        """Make what is noted of a credential, None where nothing is, what `change` makes of it: nobody comes in between.

        It is durable then. False: another process holds the store for now.

        Raises:
            StateFolderError: nothing can be noted.
        """
        ...


class KeptLimits(Protocol):
    """What lanes learned of the service's limits, by lane and kind of call, as text of `runner.rules.learned`."""

    def read(self, lane: str, kind: str) -> str | None:
        """What was kept; None: nothing."""
        ...

    def keep(self, lane: str, kind: str, learned: str | None) -> None:
        """Keep it in place of what was kept; None: forget that. Where nothing can be written now, nothing is."""
        ...


class ReceivedCommand(NamedTuple):
    """A command as it lies in the state store: its number there, who gave it, and why."""

    number: int
    who: str
    why: str
    command: Command


class CommandSource(Protocol):
    """Where people leave commands for a run."""

    def read(self, after: int) -> Sequence[ReceivedCommand]:
        """The commands with a number above `after`, in order."""
        ...


class Checker(Protocol):
    """Makes the checks of a rollout that are no steps: commands and HTTP requests."""

    async def check(self, check: PlannedCheck) -> tuple[bool, str]:
        """Whether it passed, and the end of what it said. Never raises for what the check does."""
        ...
