"""What a store of runs offers, and the small values it deals in. `sqlite.py` and `memory.py` implement it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from runner.engine.ports import Journal
from runner.errors import RunnerError, RunStopped

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence

    from runner.campaign.events import Event
    from runner.journal.owner import Owner

TAKEOVER_S = 30.0
"""An owner whose heartbeat is older than this, seconds, may be replaced."""

HEARTBEAT_S = 5.0
"""How often an open journal renews its heartbeat, seconds."""


class OwnershipLost(RunStopped):
    """Another process took the run over: nothing this process appends counts any more."""

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"another process took over run {run_id}; this one stopped writing",
            hint=f"the other process goes on with it; `runner show {run_id}` tells which one it is",
        )


class RunRecord(NamedTuple):
    """A run to be. `created_at` is epoch seconds. With an `owner` no other process can open it first."""

    id: str
    campaign: str
    plan_hash: str
    created_at: float
    owner: Owner | None = None


class RunRow(NamedTuple):
    """One run in a list. `started_at` is epoch seconds.

    `state` is what `finish` was told; before that `running` while its owner lives and `interrupted` after.
    `counts` is what `finish` was told, None before. `owner` is None when no process has the run open.
    """

    id: str
    campaign: str
    plan_hash: str
    started_at: float
    state: str
    counts: Mapping[str, int] | None
    owner: Owner | None


class OwnedJournal(Journal, Protocol):
    """The journal of one run that this process owns. Used from one event loop."""

    def append(self, events: Sequence[Event]) -> Awaitable[None]:
        """Put events at the end, in order; the awaitable is done when they are durable.

        It raises OwnershipLost or StateFolderError when they are not, and so does every later append. It need not be
        awaited; a task cancelled while it waits is cancelled once the commit is over.

        Raises:
            ValueError: an event holds NaN or an infinity, which JSON cannot carry.
        """
        ...

    @property
    def failure(self) -> RunnerError | None:
        """What ended the journal, or None while it works."""
        ...

    def on_failure(self, callback: Callable[[RunnerError], None]) -> None:
        """Have `callback` called once, in the running event loop, when the journal fails, even if nobody awaits."""
        ...

    def close(self) -> None:
        """Write what is queued, give up ownership. May block for one commit; closing again does nothing."""
        ...


class RunStore(Protocol):
    """Runs, their plans and their journals. Every method but `OwnedJournal.append` is synchronous.

    Every method may raise StateFolderError: unwritable, full, damaged, locked, or of another version.
    """

    def save_plan(self, plan_hash: str, body: bytes) -> None:
        """Keep a plan's JSON under its hash. Saving it again changes nothing."""
        ...

    def load_plan(self, plan_hash: str) -> bytes:
        """The JSON of a plan that was saved."""
        ...

    def create_run(self, record: RunRecord) -> None:
        """Add a run with an empty journal.

        Raises:
            RefusedToStart: there is a run of that id.
        """
        ...

    def runs(self) -> list[RunRow]:
        """Every run, newest first."""
        ...

    def open_run(self, run_id: str, owner: Owner) -> OwnedJournal:
        """Take ownership of a run and open its journal for appending. `run_id` is exact: see `resolve`.

        Raises:
            RefusedToStart: another process owns it and seems to be alive.
        """
        ...

    def read_events(
        self, run_id: str, *, kinds: Collection[str] | None = None, without: Collection[str] = ()
    ) -> Iterator[Event]:
        """The durable events of a run, in order, read in pieces; a run may be written meanwhile.

        Only those of `kinds` (None: all), and none of `without`; what is left out is not decoded.
        """
        ...

    def finish(self, run_id: str, state: str, counts: Mapping[str, int]) -> None:
        """Note how a run ended, for lists. Opening it again wipes the note. Call it while the run is still open."""
        ...

    def resolve(self, text: str) -> str:
        """The id of the run that a person means by an id, the unique beginning of one, or the word `last`.

        Raises:
            InvalidInput: there is none, or several; names the nearest ones.
        """
        ...

    def close(self) -> None:
        """Close the store; journals still open are closed with it."""
        ...
