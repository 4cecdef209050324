"""Runs in memory: for tests and rehearsals. Events are encoded and decoded all the same, so that nothing else gets by."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from runner.errors import RefusedToStart, RunnerError, StateFolderError
from runner.journal.chain import Link, first_hash, next_hash
from runner.journal.codec import decode_batch, encode_batch, state_at_end
from runner.journal.memory_history import MemoryHistory, SavedPlan
from runner.journal.naming import no_such_run, owner_may_live, refuse_living_owner, resolve_run, run_state
from runner.journal.owner import is_alive
from runner.journal.store import (
    TAKEOVER_S,
    CommandRow,
    Leased,
    LeaseRow,
    OwnershipLost,
    RunRecord,
    RunRow,
    SlotTaken,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence

    from runner.journal.codec import Batch
    from runner.journal.naming import IsAlive
    from runner.journal.owner import Owner
    from runner.model import RunState
    from runner.run.events import Event


class _StoredRun:
    def __init__(self, record: RunRecord, now: float, seq: int) -> None:
        self.record = record
        self.seq = seq
        self.owner = record.owner
        self.heartbeat_at = now
        self.state: str | None = None
        self.counts: Mapping[str, int] | None = None
        self.entries: list[Batch] = []


class MemoryStore:
    """A store that ends with the process. `now` gives epoch seconds."""

    def __init__(
        self, *, now: Callable[[], float] = time.time, alive: IsAlive = is_alive, takeover_s: float = TAKEOVER_S
    ) -> None:
        self._now = now
        self._alive = alive
        self._takeover_s = takeover_s
        self._plans: dict[str, SavedPlan] = {}
        self._runs: dict[str, _StoredRun] = {}
        self._made = 0
        self._leases: dict[str, str] = {}
        self._slots: dict[str, str] = {}
        self._commands: list[tuple[str, CommandRow]] = []
        self.history = MemoryHistory(
            self._plans,
            self._slots,
            lambda: [run.record for run in self._runs.values()],
            self.run,
            lambda run_id: next(self.read_events(run_id, kinds=("intended", "suspected")), None) is not None,
            self._forget,
        )

    def save_plan(self, plan_hash: str, body: bytes, digests: bytes | None = None) -> None:
        """Keep a plan's JSON under its hash, with the digests of its servers."""
        before = self._plans.get(plan_hash)
        if before is not None:
            body, digests = before.body, before.digests if digests is None else digests
        self._plans[plan_hash] = SavedPlan(body, digests, self._now())

    def load_plan(self, plan_hash: str) -> bytes:
        """The JSON of a plan that was saved."""
        if plan_hash not in self._plans:
            raise StateFolderError(f"there is no plan {plan_hash}")
        return self._plans[plan_hash].body

    def create_run(self, record: RunRecord) -> None:
        """Add a run with an empty journal."""
        if record.id in self._runs:
            raise RefusedToStart(f"there is a run {record.id} already", hint="try again")
        if record.once_key is not None and record.once_key in self._slots:
            raise SlotTaken(record.once_key, self._slots[record.once_key])
        self._made += 1
        self._runs[record.id] = _StoredRun(record, self._now(), self._made)
        try:
            self.lease(record.id, record.servers)
        except Leased:
            del self._runs[record.id]
            raise
        if record.once_key is not None:
            self._slots[record.once_key] = record.id

    def find_slot(self, once_key: str) -> str | None:
        """The id of the run that has a slot."""
        return self._slots.get(once_key)

    def lease(self, run_id: str, servers: Sequence[str]) -> None:
        """Lease more servers to a run, or the same again."""
        held: dict[str, list[str]] = {}
        for server in servers:
            holder = self._leases.get(server, run_id)
            if holder != run_id:
                held.setdefault(holder, []).append(server)
        for holder, theirs in held.items():
            run = self._runs[holder]
            if self._lives(run) or self._now() - run.heartbeat_at < run.record.lease_s:
                raise Leased(holder, theirs, len(theirs))
            run.owner = None  # should its process wake from a long freeze, it must not go on
        self._leases.update(dict.fromkeys(servers, run_id))

    def release(self, run_id: str, keep: Collection[str] = ()) -> None:
        """Give the servers of a run free, all but those to keep."""
        kept = set(keep)
        self._leases = {server: run for server, run in self._leases.items() if run != run_id or server in kept}

    def leases(self) -> list[LeaseRow]:
        """The runs that hold servers."""
        rows = []
        for run_id, count in sorted(Counter(self._leases.values()).items()):
            run = self._runs[run_id]
            until = None if self._lives(run) else run.heartbeat_at + run.record.lease_s
            rows.append(LeaseRow(run_id, count, self._row(run).state, until))
        return rows

    def links(self, run_id: str) -> Iterator[Link]:
        """The entries of a run with their hashes, in order."""
        before = first_hash(run_id, self._runs[run_id].record.plan_hash)
        for seq, entry in enumerate(self._runs[run_id].entries, 1):
            before = next_hash(before, seq, *entry)
            yield Link(seq, entry.events.decode(), entry.details.decode(), before)

    def head(self, run_id: str) -> str | None:
        """The hash of a run's last entry."""
        return next((link.hash for link in reversed(list(self.links(run_id)))), None)

    def run(self, run_id: str) -> RunRow:
        """One run."""
        if run_id not in self._runs:
            raise no_such_run(run_id)
        return self._row(self._runs[run_id])

    def runs(
        self, *, campaign: str | None = None, state: RunState | None = None, limit: int | None = None
    ) -> list[RunRow]:
        """The runs, newest first."""
        rows = map(self._row, reversed(self._runs.values()))
        wanted = (row for row in rows if campaign in {None, row.campaign} and state in {None, row.state})
        return list(islice(wanted, limit))

    def open_run(self, run_id: str, owner: Owner) -> MemoryJournal:
        """Take ownership of a run and open its journal for appending."""
        run = self._runs[run_id]
        if run.owner is not None and run.owner.token != owner.token:
            refuse_living_owner(run_id, run.owner, self._now() - run.heartbeat_at, self._takeover_s, self._alive)
        run.owner, run.heartbeat_at, run.state, run.counts = owner, self._now(), None, None
        return MemoryJournal(run, owner.token, self._now)

    def read_events(
        self, run_id: str, *, kinds: Collection[str] | None = None, without: Collection[str] = ()
    ) -> Iterator[Event]:
        """The events of a run, in order."""
        for entry in list(self._runs[run_id].entries):
            yield from decode_batch(*entry, kinds, without)

    def tear(self, run_id: str, entries: int) -> None:
        """Lose the last entries, as a power cut may: for rehearsals."""
        kept = self._runs[run_id].entries
        del kept[max(0, len(kept) - entries) :]

    def finish(self, run_id: str, state: str, counts: Mapping[str, int]) -> None:
        """Note how a run ended, for lists."""
        self._runs[run_id].state = state
        self._runs[run_id].counts = dict(counts)

    def post_command(self, run_id: str, at: float, who: str, why: str, body: str) -> int:
        """Tell a run something."""
        row = CommandRow(len(self._commands) + 1, at, who, why, body)
        self._commands.append((run_id, row))
        return row.id

    def read_commands(self, run_id: str, after: int) -> list[CommandRow]:
        """What a run was told after a command, in order."""
        return [row for told, row in self._commands if told == run_id and row.id > after]

    def resolve(self, text: str) -> str:
        """The id of the run that a person means."""
        return resolve_run(text, self)

    def newest(self) -> str | None:
        """The run that was made last."""
        return next(reversed(self._runs), None)

    def starting_with(self, text: str) -> list[str]:
        """The ids that start so, newest first."""
        return [run_id for run_id in reversed(self._runs) if run_id.startswith(text)]

    def close(self) -> None:
        """Nothing to close."""

    def _row(self, run: _StoredRun) -> RunRow:
        record = run.record
        is_open = self._lives(run)
        told = state_at_end(run.entries[-1].events) if run.entries else None
        return RunRow(
            record.id,
            record.campaign,
            record.plan_hash,
            record.created_at,
            run_state(run.state, owner_lives=is_open, journal_says=told),
            run.counts,
            run.owner,
            run.seq,
            record.simulated,
            is_open,
        )

    def _forget(self, run_id: str) -> None:
        del self._runs[run_id]
        self.release(run_id)
        self._commands[:] = [command for command in self._commands if command[0] != run_id]

    def _lives(self, run: _StoredRun) -> bool:
        return owner_may_live(run.owner, self._now() - run.heartbeat_at, self._takeover_s, self._alive)


class MemoryJournal:
    """The journal of one run; an event is durable as soon as it is appended."""

    def __init__(self, run: _StoredRun, token: str, now: Callable[[], float]) -> None:
        self._now = now
        self._run = run
        self._token = token
        self.failure: RunnerError | None = None
        self._callback: Callable[[RunnerError], None] | None = None

    def on_failure(self, callback: Callable[[RunnerError], None]) -> None:
        """Have `callback` called once when the journal fails."""
        self._callback = callback

    def append(self, events: Sequence[Event]) -> Awaitable[None]:
        """Put events at the end."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._run.owner is None or self._run.owner.token != self._token:
            self._fail(OwnershipLost(self._run.record.id))
        if self.failure is not None:
            done.set_exception(self.failure)
            done.exception()
        else:
            self._run.entries.append(encode_batch(events))
            done.set_result(None)
        return done

    def close(self) -> None:
        """Give up ownership."""
        if self._run.owner is not None and self._run.owner.token == self._token:
            self._run.owner = None
            self._run.heartbeat_at = self._now()

    def _fail(self, error: RunnerError) -> None:
        if self.failure is None:
            self.failure = error
            if self._callback is not None:
                self._callback(error)
