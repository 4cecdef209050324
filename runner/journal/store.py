"""What a store of runs offers, and the small values it deals in. `sqlite.py` and `memory.py` implement it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from runner.engine.ports import Journal
from runner.errors import RefusedToStart, RunnerError, RunStopped, StateFolderError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence

    from runner.engine.ports import KeptCredentials, KeptLimits
    from runner.journal.chain import Link
    from runner.journal.history import RunHistory
    from runner.journal.owner import Owner
    from runner.model import RunState
    from runner.run.events import Event, RunEnded

_SHOWN = 3


class OwnershipLost(RunStopped):
    """The run is out of this process's hands: nothing it appends counts any more, and it may send nothing."""

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"another process took over run {run_id}, or released its servers; this one stopped writing",
            hint=f"`runner show {run_id}` tells how it stands; if nobody goes on with it: runner resume {run_id}",
        )


class JournalChanged(StateFolderError):
    """A journal does not end as its owner left it: it never goes on after an entry that it has not seen."""

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"the journal of run {run_id} does not end as this process left it: somebody changed it",
            hint="see `runner verify`; `runner resume` goes on with what is there",
        )


class StateFolderBusy(StateFolderError):
    """Another process holds the database. It may be asked again."""


class HeldByAnother(RefusedToStart):
    """A process that may be alive has it. `look_again`: it is silent, and a little more looking will tell."""

    def __init__(self, message: str, *, hint: str, look_again: bool) -> None:
        super().__init__(message, hint=hint)
        self.look_again = look_again


class Leased(HeldByAnother):
    """Servers are in the hands of another run: `servers` are these.

    `until` is when others may take them, epoch seconds, where no process has that run open; `why` is what was found out of
    them then.
    """

    def __init__(
        self,
        run_id: str,
        servers: Sequence[str],
        *,
        look_again: bool = False,
        until: float | None = None,
        why: str = "",
    ) -> None:
        self.run_id = run_id
        self.servers = servers
        self.until = until
        what = f"run {run_id} is at work on {shown_ids(servers)}"
        hint = "wait for it with --wait-for-lock, leave these servers out with --limit, or see `runner locks`"
        if until is not None:
            what += f", as far as is known; it holds them until {_time(until)} at the latest"
            hint += f"; give them free with `runner locks --release {run_id}` once you know that nothing works on them"
        super().__init__(f"{what}: {why}" if why else what, hint=hint, look_again=look_again)

    def because(self, why: str) -> Leased:
        """The same, with what was found out."""
        return Leased(self.run_id, self.servers, look_again=self.look_again, until=self.until, why=why)


def shown_ids(servers: Collection[str]) -> str:
    """Some of these servers, and how many more there are."""
    shown = sorted(servers)[:_SHOWN]
    more = f" and {len(servers) - len(shown):,} more" if len(servers) > len(shown) else ""
    return f"{', '.join(shown)}{more}"


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


class RunIsOpen(HeldByAnother):
    """A process that may be alive carries the run out."""

    def __init__(self, run_id: str, owner: Owner, *, look_again: bool) -> None:
        super().__init__(
            f"run {run_id} is being carried out by process {owner.pid} on {owner.host}",
            hint="wait until it is over, or stop it there with Ctrl-C (SIGINT) first",
            look_again=look_again,
        )


class SlotTaken(RefusedToStart):
    """The slot of a schedule has its run already: `run_id`."""

    def __init__(self, once_key: str, run_id: str) -> None:
        super().__init__(f"{once_key} is taken by run {run_id}", hint=f"see `runner show {run_id}`")
        self.run_id = run_id


class LeaseRow(NamedTuple):
    """A run that holds servers. `until` is when others may take them, epoch seconds; None: not while it lives."""

    run_id: str
    servers: int
    state: RunState
    until: float | None


class RunRecord(NamedTuple):
    """A run to be. `created_at` is epoch seconds. With an `owner` no other process can open it first.

    `servers` are leased to it; they stay so for `lease_s` seconds after the last sign of life of its process, for that
    long its jobs may still be at work. `once_key` names the slot of a schedule that the run is for: one run a slot.
    `simulated` is a rehearsal. `parents` are the runs that it does again in part; they need not be here.
    `report` is the file that its report is written to; None: that of the state folder.
    """

    id: str
    campaign: str
    plan_hash: str
    created_at: float
    owner: Owner | None = None
    servers: Sequence[str] = ()
    lease_s: float = 0.0
    once_key: str | None = None
    simulated: bool = False
    parents: Sequence[str] = ()
    report: str | None = None


class RunRow(NamedTuple):
    """One run in a list. `started_at` is epoch seconds.

    `state` is what `finish` was told, or what the journal says last where it says how the run ended; else `running`
    while its owner lives and `interrupted` after. `counts` is what `finish` was told, None before. `owner` is None when
    no process has the run open; `is_open` is whether one has that may be alive: also before its first event, and after its
    last, whatever `state` says. `seq` grows in the order in which runs were made, whatever the clock said. `simulated` is
    None where it is not known: then the run has no events. `report` is as in `RunRecord`.
    """

    id: str
    campaign: str
    plan_hash: str
    started_at: float
    state: RunState
    counts: Mapping[str, int] | None
    owner: Owner | None
    seq: int
    simulated: bool | None
    is_open: bool
    report: str | None = None


class JournalEntry(NamedTuple):
    """What a run appended at once. `seq` is its place in the journal: from 1, without a gap."""

    seq: int
    events: tuple[Event, ...]


class CommandRow(NamedTuple):
    """What an operator told a run: who, why, and when (epoch seconds); `body` is JSON. Ids grow."""

    id: int
    at: float
    who: str
    why: str
    body: str


class OwnedJournal(Journal, Protocol):
    """The journal of one run that this process owns. It renews that by itself; appends are made from one event loop."""

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

    @property
    def owned_until(self) -> float:
        """Until when nobody else can have the run, by the store's clock."""
        ...

    def on_blocked(self, callback: Callable[[bool], None]) -> None:
        """Have `callback` called in the event loop when another process blocks the store (True), and when it is free."""
        ...

    def close(self) -> None:
        """Write what is queued, give up ownership. May block for one commit; closing again does nothing."""
        ...


class RunStore(Protocol):
    """Runs, their plans and their journals. Every method but `OwnedJournal.append` is synchronous.

    Every method may raise StateFolderError: unwritable, full, damaged, locked (StateFolderBusy), or of another version.
    A store knows the runs that it created with an owner, or opened: for those `lease`, `release` and `finish` act only
    as long as that owner is not replaced, and raise OwnershipLost after.
    """

    @property
    def history(self) -> RunHistory:
        """What it tells of runs that are over."""
        ...

    @property
    def credentials(self) -> KeptCredentials:
        """What is noted of credentials that the service refused."""
        ...

    @property
    def limits(self) -> KeptLimits:
        """What lanes learned of the limits of the service."""
        ...

    def save_plan(self, plan_hash: str, body: bytes, digests: bytes | None = None) -> None:
        """Keep a plan's JSON under its hash, with the digests of its servers. Saving it again changes neither."""
        ...

    def load_plan(self, plan_hash: str) -> bytes:
        """The JSON of a plan that was saved."""
        ...

    def create_run(self, record: RunRecord) -> None:
        """Add a run with an empty journal, claim its slot, and lease its servers to it: all or nothing.

        Raises:
            RefusedToStart: there is a run of that id.
            SlotTaken: another run has the slot.
            Leased: another run holds some of the servers.
        """
        ...

    def find_slot(self, once_key: str) -> str | None:
        """The id of the run that has a slot; None: no run has it."""
        ...

    def lease(self, run_id: str, servers: Sequence[str]) -> None:
        """Lease more servers to a run, or the same again. A run that loses some so is fenced.

        Raises:
            Leased: another run holds some of them.
        """
        ...

    def fence(self, run_id: str) -> None:
        """Take a run out of its owner's hands, and give all its servers free.

        Raises:
            RunIsOpen: a process owns it and may be alive.
        """
        ...

    def release(self, run_id: str, keep: Collection[str] = (), take: Collection[str] = ()) -> None:
        """Give the servers of a run free, all but those to `keep`. Those to `take` it gets, as far as nobody holds them."""
        ...

    def give_free(self, run_id: str, servers: Collection[str], head: str | None) -> int:
        """Give these servers of a run free, on which nothing of it works; return how many of them it held.

        Not if its last entry is not `head` any more: it went on since that was found out. A process that has it open, and
        has not renewed for long, cannot append any more.

        Raises:
            RunIsOpen: a process owns it and may be alive.
        """
        ...

    def leases(self) -> list[LeaseRow]:
        """The runs that hold servers."""
        ...

    def links(self, run_id: str) -> Iterator[Link]:
        """The entries of a run with their hashes, in order."""
        ...

    def head(self, run_id: str) -> str | None:
        """The hash of a run's last entry; None if there is none."""
        ...

    def run(self, run_id: str) -> RunRow:
        """One run. `run_id` is exact: see `resolve`.

        Raises:
            InvalidInput: there is none of that id.
        """
        ...

    def runs(
        self, *, campaign: str | None = None, state: RunState | None = None, limit: int | None = None
    ) -> list[RunRow]:
        """The runs, newest first: of one campaign, in one state, at most so many; None: whatever."""
        ...

    def open_run(self, run_id: str, owner: Owner) -> OwnedJournal:
        """Take ownership of a run and open its journal for appending. `run_id` is exact: see `resolve`.

        Whoever goes on with a run opens it first and reads it after: what was read before may have had more added since.
        It need not be called in an event loop; the journal belongs to that of the first append.

        Raises:
            RunIsOpen: another process owns it and may be alive. Ask again within seconds where it says `look_again`.
            OwnershipLost: this store made the run, and it has been taken away since.
        """
        ...

    def read_events(self, run_id: str, *, kinds: Collection[str] | None = None, lean: bool = False) -> Iterator[Event]:
        """The durable events of a run, in order, read in pieces; a run may be written meanwhile.

        Only those of `kinds` (None: all). `lean`: without those that only a report needs, and jobs without their tasks;
        these are not read. Tasks are made when they are looked at, and damage in them shows then.
        """
        ...

    def read_entries(self, run_id: str, after: int = 0, *, lean: bool = False) -> Iterator[JournalEntry]:
        """The entries of a run after a place in its journal, in order; `lean` as above."""
        ...

    def ending(self, run_id: str) -> RunEnded | None:
        """How the last process of a run ended it; None where its last entry does not tell: it goes on, or was killed."""
        ...

    def finish(self, run_id: str, state: str, counts: Mapping[str, int]) -> None:
        """Note how a run ended, for lists. Opening it again wipes the note. Call it while the run is still open."""
        ...

    def keep_report(self, run_id: str, report: str) -> None:
        """Have the report of a run written to another file from now on."""
        ...

    def post_command(self, run_id: str, at: float, who: str, why: str, body: str) -> int:
        """Tell a run something; `body` is JSON. Returns the command's id."""
        ...

    def read_commands(self, run_id: str, after: int) -> list[CommandRow]:
        """What a run was told after the command with id `after`, in order; after 0: everything."""
        ...

    def starting_with(self, text: str) -> Sequence[str]:
        """The ids of runs that start so, newest first."""
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
