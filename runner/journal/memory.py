"""Runs in memory: for tests and rehearsals. Events are encoded and decoded all the same, so that nothing else gets by."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner.engine.refusals import KeptInProcess
from runner.errors import RefusedToStart, StateFolderError
from runner.journal.chain import Link, first_hash, next_hash
from runner.journal.codec import decode_batch, ending_of
from runner.journal.judging import Judge
from runner.journal.memory_history import MemoryHistory, SavedPlan
from runner.journal.memory_journal import Lock, MemoryJournal, MemoryRun
from runner.journal.naming import no_such_run, resolve_run
from runner.journal.owner import Moment, is_alive
from runner.journal.ownership import TAKEOVER_S
from runner.journal.store import (
    CommandRow,
    JournalEntry,
    Leased,
    LeaseRow,
    OwnershipLost,
    RunRecord,
    RunRow,
    SlotTaken,
    StateFolderBusy,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from runner.journal.judging import IsAlive
    from runner.journal.owner import Owner
    from runner.journal.ownership import Claim
    from runner.model import RunState
    from runner.run.events import Event, RunEnded


class _Limits:
    """See `runner.engine.ports.KeptLimits`."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], str] = {}

    def read(self, lane: str, kind: str) -> str | None:
        """See `KeptLimits.read`."""
        return self.rows.get((lane, kind))

    def keep(self, lane: str, kind: str, learned: str | None) -> None:
        """See `KeptLimits.keep`."""
        if learned is None:
            self.rows.pop((lane, kind), None)
        else:
            self.rows[lane, kind] = learned


class _Contents:
    """What all processes share."""

    def __init__(self) -> None:
        self.plans: dict[str, SavedPlan] = {}
        self.runs: dict[str, MemoryRun] = {}
        self.leases: dict[str, str] = {}
        self.slots: dict[str, str] = {}
        self.commands: list[tuple[str, CommandRow]] = []
        self.made = 0
        self.lock = Lock()
        self.refused_calls: dict[str, str] = {}
        self.limits = _Limits()


class MemoryStore:
    """A store that ends with the process: one process's view of it, see `beside`.

    `now` gives epoch seconds, to record; `moment` a time that nobody can set, to decide by: without it that is `now`,
    as a clock by the name "memory". With `renews` an owner renews while its event loop runs, and may be found silent.
    """

    def __init__(
        self,
        *,
        now: Callable[[], float],
        moment: Callable[[], Moment] | None = None,
        alive: IsAlive = is_alive,
        takeover_s: float = TAKEOVER_S,
        renews: bool = False,
    ) -> None:
        self._now = now
        self._moment = moment or (lambda: Moment("memory", now()))
        self._alive = alive
        self._takeover_s = takeover_s
        self._renews = renews
        self._judge = Judge(self._moment, now, alive, takeover_s)
        self._mine: dict[str, str] = {}
        self._contents = _Contents()
        self.history = MemoryHistory(
            self._contents.plans,
            self._contents.slots,
            lambda: [run.record for run in self._contents.runs.values()],
            self.run,
            lambda run_id: next(self.read_events(run_id, kinds=("intended", "suspected")), None) is not None,
            self._forget,
        )
        self.credentials = self._credentials()

    @property
    def limits(self) -> _Limits:
        """See `RunStore.limits`."""
        return self._contents.limits

    def _credentials(self) -> KeptInProcess:
        kept = KeptInProcess(lambda: self._moment().at < self._contents.lock.until)
        kept.rows = self._contents.refused_calls
        return kept

    def beside(self, *, alive: IsAlive | None = None, moment: Callable[[], Moment] | None = None) -> MemoryStore:
        """The same store as another process sees it: what it knows of others, and its clock, may be its own."""
        other = MemoryStore(
            now=self._now,
            moment=moment or self._moment,
            alive=alive or self._alive,
            takeover_s=self._takeover_s,
            renews=self._renews,
        )
        other._contents, other.history = self._contents, self.history
        other.credentials = other._credentials()
        return other

    def lock(self, seconds: float) -> None:
        """Have another process hold the store for so long: nothing is written, and nothing becomes durable."""
        lock = self._contents.lock
        lock.until = max(lock.until, self._moment().at + seconds)

    def save_plan(self, plan_hash: str, body: bytes, digests: bytes | None = None) -> None:
        """Keep a plan's JSON under its hash, with the digests of its servers."""
        before = self._contents.plans.get(plan_hash)
        if before is not None:
            body, digests = before.body, before.digests if digests is None else digests
        self._contents.plans[plan_hash] = SavedPlan(body, digests, self._now())

    def load_plan(self, plan_hash: str) -> bytes:
        """The JSON of a plan that was saved."""
        if plan_hash not in self._contents.plans:
            raise StateFolderError(f"there is no plan {plan_hash}")
        return self._contents.plans[plan_hash].body

    def create_run(self, record: RunRecord) -> None:
        """Add a run with an empty journal."""
        self._refuse_if_locked()
        contents = self._contents
        if record.id in contents.runs:
            raise RefusedToStart(f"there is a run {record.id} already", hint="try again")
        if record.once_key is not None and record.once_key in contents.slots:
            raise SlotTaken(record.once_key, contents.slots[record.once_key])
        contents.made += 1
        contents.runs[record.id] = MemoryRun(record, self._moment(), self._now(), contents.made)
        try:
            self._lease(record.id, record.servers)
        except Leased:
            del contents.runs[record.id]
            raise
        if record.once_key is not None:
            contents.slots[record.once_key] = record.id
        if record.owner is not None:
            self._mine[record.id] = record.owner.token

    def find_slot(self, once_key: str) -> str | None:
        """The id of the run that has a slot."""
        return self._contents.slots.get(once_key)

    def lease(self, run_id: str, servers: Sequence[str]) -> None:
        """Lease more servers to a run, or the same again."""
        self._refuse_if_lost(run_id)
        self._lease(run_id, servers)

    def _lease(self, run_id: str, servers: Sequence[str]) -> None:
        held: dict[str, list[str]] = {}
        for server in servers:
            holder = self._contents.leases.get(server, run_id)
            if holder != run_id:
                held.setdefault(holder, []).append(server)
        with self._taking():
            for holder, theirs in held.items():
                self._judge.refuse_kept_servers(self._claim(holder), theirs)
        for holder in held:
            self._contents.runs[holder].owner = None  # should its process wake from a long freeze, it must not go on
        self._contents.leases.update(dict.fromkeys(servers, run_id))

    def release(self, run_id: str, keep: Collection[str] = (), take: Collection[str] = ()) -> None:
        """Give the servers of a run free, all but those to keep, and take others that are free."""
        self._refuse_if_lost(run_id)
        self._release(run_id, keep)
        for server in take:
            self._contents.leases.setdefault(server, run_id)

    def _release(self, run_id: str, keep: Collection[str]) -> None:
        kept, leases = set(keep), self._contents.leases
        self._contents.leases = {server: run for server, run in leases.items() if run != run_id or server in kept}

    def fence(self, run_id: str) -> None:
        """Take a run out of its owner's hands, and give all its servers free."""
        self._refuse_if_locked()
        with self._taking():
            self._judge.refuse_living_owner(self._claim(run_id))
        self._contents.runs[run_id].owner = None
        self._release(run_id, ())

    def give_free(self, run_id: str, servers: Collection[str], head: str | None) -> int:
        """Give these servers of a run free, on which nothing of it works."""
        self._refuse_if_locked()
        with self._taking():
            self._judge.refuse_living_owner(self._claim(run_id))
        held = [server for server in servers if self._contents.leases.get(server) == run_id]
        if self.head(run_id) != head:
            return 0
        self._contents.runs[run_id].owner = None
        for server in held:
            del self._contents.leases[server]
        return len(held)

    def leases(self) -> list[LeaseRow]:
        """The runs that hold servers."""
        held, runs = Counter(self._contents.leases.values()), self._contents.runs
        return [
            self._judge.lease_row(runs[run_id].claim, count, self.run(run_id).state)
            for run_id, count in sorted(held.items())
        ]

    def links(self, run_id: str) -> Iterator[Link]:
        """The entries of a run with their hashes, in order."""
        before = first_hash(run_id, self._contents.runs[run_id].record.plan_hash)
        for seq, entry in enumerate(self._contents.runs[run_id].entries, 1):
            before = next_hash(before, seq, *entry)
            yield Link(seq, entry.events.decode(), entry.details.decode(), before, entry.tasks)

    def head(self, run_id: str) -> str | None:
        """The hash of a run's last entry."""
        return next((link.hash for link in reversed(list(self.links(run_id)))), None)

    def run(self, run_id: str) -> RunRow:
        """One run."""
        if run_id not in self._contents.runs:
            raise no_such_run(run_id)
        return self._row(self._contents.runs[run_id])

    def runs(
        self, *, campaign: str | None = None, state: RunState | None = None, limit: int | None = None
    ) -> list[RunRow]:
        """The runs, newest first."""
        rows = map(self._row, reversed(self._contents.runs.values()))
        wanted = (row for row in rows if campaign in {None, row.campaign} and state in {None, row.state})
        return list(wanted)[:limit]

    def open_run(self, run_id: str, owner: Owner) -> MemoryJournal:
        """Take ownership of a run and open its journal for appending."""
        self._refuse_if_locked()
        run, contents = self._contents.runs[run_id], self._contents
        with self._taking():
            self._judge.refuse_taking(self._claim(run_id), owner.token, self._mine.get(run_id))
        run.renew(owner, self._moment(), self._now())
        self._mine[run_id] = owner.token

        def closed() -> None:
            if self._mine.get(run_id) == owner.token:
                del self._mine[run_id]

        return MemoryJournal(run, owner, self._moment, self._now, contents.lock, closed, renews=self._renews)

    def ending(self, run_id: str) -> RunEnded | None:
        """How the last process of a run ended it."""
        entries = self._contents.runs[run_id].entries
        return ending_of(entries[-1].events) if entries else None

    def read_events(self, run_id: str, *, kinds: Collection[str] | None = None, lean: bool = False) -> Iterator[Event]:
        """The events of a run, in order."""
        for entry in list(self._contents.runs[run_id].entries):
            yield from decode_batch(*entry, kinds, lean=lean)

    def read_entries(self, run_id: str, after: int = 0, *, lean: bool = False) -> Iterator[JournalEntry]:
        """The entries of a run after a place in its journal, in order."""
        for seq, entry in enumerate(self._contents.runs[run_id].entries[after:], after + 1):
            yield JournalEntry(seq, tuple(decode_batch(*entry, lean=lean)))

    def tear(self, run_id: str, entries: int) -> None:
        """Lose the last entries, as a power cut may: for rehearsals."""
        kept = self._contents.runs[run_id].entries
        del kept[max(0, len(kept) - entries) :]

    def finish(self, run_id: str, state: str, counts: Mapping[str, int]) -> None:
        """Note how a run ended, for lists."""
        self._refuse_if_lost(run_id)
        self._contents.runs[run_id].state = state
        self._contents.runs[run_id].counts = dict(counts)

    def keep_report(self, run_id: str, report: str) -> None:
        """Have the report of a run written to another file from now on."""
        self._refuse_if_lost(run_id)
        run = self._contents.runs[run_id]
        run.record = run.record._replace(report=report)

    def post_command(self, run_id: str, at: float, who: str, why: str, body: str) -> int:
        """Tell a run something."""
        row = CommandRow(len(self._contents.commands) + 1, at, who, why, body)
        self._contents.commands.append((run_id, row))
        return row.id

    def read_commands(self, run_id: str, after: int) -> list[CommandRow]:
        """What a run was told after a command, in order."""
        return [row for told, row in self._contents.commands if told == run_id and row.id > after]

    def resolve(self, text: str) -> str:
        """The id of the run that a person means."""
        return resolve_run(text, self)

    def newest(self) -> str | None:
        """The run that was made last."""
        return next(reversed(self._contents.runs), None)

    def starting_with(self, text: str) -> list[str]:
        """The ids that start so, newest first."""
        return [run_id for run_id in reversed(self._contents.runs) if run_id.startswith(text)]

    def close(self) -> None:
        """Nothing to close."""

    def _row(self, run: MemoryRun) -> RunRow:
        record = run.record
        is_open = self._judge.seems_alive(run.claim)
        ending = self.ending(run.record.id)
        told = None if ending is None else ending.state
        return RunRow(
            record.id,
            record.campaign,
            record.plan_hash,
            record.created_at,
            self._judge.shown_state(run.claim, run.state, told),
            run.counts,
            run.owner,
            run.seq,
            record.simulated,
            is_open,
            record.report,
        )

    def _forget(self, run_id: str) -> None:
        del self._contents.runs[run_id]
        self._release(run_id, ())
        self._contents.commands[:] = [command for command in self._contents.commands if command[0] != run_id]

    @contextmanager
    def _taking(self) -> Iterator[None]:
        """Judging others. What was first seen of them is kept, whatever comes of it."""
        try:
            yield
        finally:
            while self._judge.first_seen:
                run_id, seen = self._judge.first_seen.popitem()
                self._contents.runs[run_id].seen = seen

    def _claim(self, run_id: str) -> Claim:
        return self._contents.runs[run_id].claim

    def _refuse_if_lost(self, run_id: str) -> None:
        self._refuse_if_locked()
        token = self._mine.get(run_id)
        if token is not None and not self._contents.runs[run_id].is_owned_with(token):
            raise OwnershipLost(run_id)

    def _refuse_if_locked(self) -> None:
        if self._moment().at < self._contents.lock.until:
            raise StateFolderBusy("the store is locked by another process", hint="try again")
