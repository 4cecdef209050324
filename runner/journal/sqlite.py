"""Runs in SQLite: one file. Appends go through a writer thread (`writer.py`)."""

from __future__ import annotations

import time
import zlib
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from runner.errors import RefusedToStart, StateFolderError
from runner.journal import owner as system
from runner.journal.chain import Link, first_hash
from runner.journal.claims import claim_of, owner_columns, renewal_columns, seen_text
from runner.journal.codec import decode_batch, ending_of, needs_details
from runner.journal.copying import copy_to
from runner.journal.database import BUSY_S, open_database, open_to_read
from runner.journal.judging import Judge
from runner.journal.naming import no_such_run, resolve_run
from runner.journal.ownership import TAKEOVER_S
from runner.journal.queries import queries
from runner.journal.sqlite_credentials import SqliteCredentials
from runner.journal.sqlite_history import SqliteHistory
from runner.journal.sqlite_limits import SqliteLimits
from runner.journal.store import CommandRow, JournalEntry, LeaseRow, OwnershipLost, RunRecord, RunRow, SlotTaken
from runner.journal.tasks import as_written, parted
from runner.journal.troubles import DAMAGED_HINT, translated
from runner.journal.writer import JournalWriter, LastEntry, OwnershipHeld, Times

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from runner.journal.judging import IsAlive
    from runner.journal.owner import Moment, Owner
    from runner.journal.ownership import Claim
    from runner.model import Json, RunState
    from runner.run.events import Event, RunEnded

_PIECE = 500
_LEVEL = 1  # any other makes a plan no smaller: most of it is random ids
_BEYOND = "\U0010ffff"  # sorts after whatever an id may have in its place


class SqliteStore:
    """A store in one file, which is made if it is not there: unless it is opened for `reading` only.

    `now` gives epoch seconds, to record; `moment` is a time that nobody can set, to decide by. `wait_s` is for how long
    to wait for a database that another process holds, before StateFolderBusy.
    """

    def __init__(
        self,
        path: Path,
        *,
        now: Callable[[], float] = time.time,
        moment: Callable[[], Moment] = system.moment,
        alive: IsAlive = system.is_alive,
        takeover_s: float = TAKEOVER_S,
        wait_s: float = BUSY_S,
        reading: bool = False,
    ) -> None:
        self._path = path
        self._times = Times(moment, now)
        self._judge = Judge(moment, now, alive, takeover_s)
        self._mine: dict[str, str] = {}
        self._writers: list[JournalWriter] = []
        self._wait_s = wait_s
        self._db, self._place = (open_to_read if reading else open_database)(path, wait_s)
        self.history = SqliteHistory(self._db, path, self.run)
        self.credentials = SqliteCredentials(self._db, path, wait_s)
        self.limits = SqliteLimits(self._db, path)

    def save_plan(self, plan_hash: str, body: bytes, digests: bytes | None = None) -> None:
        """Keep a plan's JSON under its hash, with the digests of its servers."""
        with translated(self._path), self._db:
            self._execute("save_plan", plan_hash=plan_hash, body=zlib.compress(body, _LEVEL))
            self._execute("index_plan", plan_hash=plan_hash, saved_at=self._times.wall(), digests=digests)

    def load_plan(self, plan_hash: str) -> bytes:
        """The JSON of a plan that was saved."""
        for (body,) in self._execute("load_plan", plan_hash=plan_hash):
            with suppress(zlib.error):
                return bytes(body) if body[:1] == b"{" else zlib.decompress(body)  # versions 4 to 8 did not compress it
        raise StateFolderError(f"{self._path} is damaged: it has no plan {plan_hash}", hint=DAMAGED_HINT)

    def create_run(self, record: RunRecord) -> None:
        """Add a run with an empty journal."""
        values = record._asdict() | owner_columns(record.owner) | self._renewal()
        del values["servers"], values["owner"], values["once_key"], values["parents"]
        with self._taking():
            if not self._changes("create_run", **values):
                raise RefusedToStart(f"there is a run {record.id} already", hint="try again")
            if record.once_key is not None:
                self._claim_slot(record.once_key, record.id)
            if record.parents:
                self._execute("add_parents", id=record.id, parents=orjson.dumps(list(record.parents)).decode())
            self._lease(record.id, record.servers)
        if record.owner is not None:
            self._mine[record.id] = record.owner.token

    def _claim_slot(self, once_key: str, run_id: str) -> None:
        taken_by = self.find_slot(once_key)
        if taken_by is not None:
            raise SlotTaken(once_key, taken_by)
        self._execute("claim_slot", once_key=once_key, id=run_id)

    def find_slot(self, once_key: str) -> str | None:
        """The id of the run that has a slot."""
        return next((run_id for (run_id,) in self._execute("find_slot", once_key=once_key)), None)

    def lease(self, run_id: str, servers: Sequence[str]) -> None:
        """Lease more servers to a run, or the same again."""
        with self._taking():
            self._refuse_if_lost(run_id)
            self._lease(run_id, servers)

    def _lease(self, run_id: str, servers: Sequence[str]) -> None:
        if not servers:
            return
        wanted = orjson.dumps(list(servers)).decode()
        for holder, held in self._execute("lease_holders", id=run_id, servers=wanted):
            self._judge.refuse_kept_servers(self._claim(holder), held.split(" "))
            self._execute("fence_run", id=holder)  # should its process wake from a long freeze, it must not go on
        self._execute("lease", id=run_id, servers=wanted)

    def release(self, run_id: str, keep: Collection[str] = (), take: Collection[str] = ()) -> None:
        """Give the servers of a run free, all but those to keep, and take others that are free."""
        with translated(self._path), self._db:
            self._refuse_if_lost(run_id)
            self._execute("release_leases", id=run_id, keep=orjson.dumps(list(keep)).decode())
            if take:
                self._execute("take_free", id=run_id, servers=orjson.dumps(list(take)).decode())

    def fence(self, run_id: str) -> None:
        """Take a run out of its owner's hands, and give all its servers free."""
        with self._taking():
            self._judge.refuse_living_owner(self._claim(run_id))
            self._execute("fence_run", id=run_id)
            self._execute("release_leases", id=run_id, keep="[]")

    def give_free(self, run_id: str, servers: Collection[str], head: str | None) -> int:
        """Give these servers of a run free, on which nothing of it works."""
        with self._taking():
            self._judge.refuse_living_owner(self._claim(run_id))
            if self.head(run_id) != head:
                return 0
            self._execute("fence_run", id=run_id)
            return self._changes("give_free", id=run_id, servers=orjson.dumps(list(servers)).decode())

    def leases(self) -> list[LeaseRow]:
        """The runs that hold servers."""
        held = self._execute("leases")
        return [self._judge.lease_row(self._claim(run_id), count, self.run(run_id).state) for run_id, count in held]

    def links(self, run_id: str) -> Iterator[Link]:
        """The entries of a run with their hashes, in order."""
        after = 0
        while rows := self._execute("read_entries", id=run_id, after=after, most=_PIECE):
            for after, events, details, tasks, found in rows:
                yield Link(after, events, details, found, tuple(map(as_written, parted(tasks or b""))))

    def head(self, run_id: str) -> str | None:
        """The hash of a run's last entry."""
        return next((head for _, head in self._execute("last_entry", id=run_id)), None)

    def run(self, run_id: str) -> RunRow:
        """One run."""
        for values in self._execute("run", id=run_id):
            return self._row(values)
        raise no_such_run(run_id)

    def runs(
        self, *, campaign: str | None = None, state: RunState | None = None, limit: int | None = None
    ) -> list[RunRow]:
        """The runs, newest first."""
        with translated(self._path):
            rows = map(self._row, self._db.execute(queries()["runs"], {"campaign": campaign}))
            return list(islice((row for row in rows if state in {None, row.state}), limit))

    def _row(self, values: tuple[Any, ...]) -> RunRow:
        campaign, plan_hash, created_at, noted, counts, seq, simulated, report, *claimed = values
        claim = claim_of(claimed)
        state = self._judge.shown_state(claim, noted, None if noted else self._state_at_end(claim.run_id))
        return RunRow(
            claim.run_id,
            campaign,
            plan_hash,
            created_at,
            state,
            orjson.loads(counts) if counts else None,
            claim.owner,
            seq,
            None if simulated is None else bool(simulated),
            self._judge.seems_alive(claim),
            report,
        )

    def _state_at_end(self, run_id: str) -> str | None:
        """How a run ended, where its process died before it could note it."""
        ending = self.ending(run_id)
        return None if ending is None else ending.state

    def ending(self, run_id: str) -> RunEnded | None:
        """How the last process of a run ended it."""
        return next((ending_of(events) for (events,) in self._execute("last_events", id=run_id)), None)

    def open_run(self, run_id: str, owner: Owner) -> JournalWriter:
        """Take ownership of a run and open its journal for appending."""
        with self._taking():
            self._judge.refuse_taking(self._claim(run_id), owner.token, self._mine.get(run_id))
            renewed = self._times.moment()
            self._execute("take_run", id=run_id, **owner_columns(owner), **self._renewal(renewed))
            held = OwnershipHeld(run_id, owner.token, self._last_entry(run_id), renewed)
        self._mine[run_id] = owner.token
        writer = JournalWriter(self._place, held, self._times, lambda: self._forget(run_id, owner))
        self._writers.append(writer)
        return writer

    def _last_entry(self, run_id: str) -> LastEntry:
        ((plan_hash,),) = self._execute("plan_hash_of", id=run_id)
        before = LastEntry(0, first_hash(run_id, plan_hash))
        return next((LastEntry(*row) for row in self._execute("last_entry", id=run_id)), before)

    def read_events(self, run_id: str, *, kinds: Collection[str] | None = None, lean: bool = False) -> Iterator[Event]:
        """The durable events of a run, in order, read in pieces."""
        lean = lean or not needs_details(kinds)
        for _, events, details, tasks in self._lean_pieces(run_id, 0) if lean else self._pieces(run_id, 0):
            yield from decode_batch(events, details, parted(tasks) if tasks else (), kinds, lean=lean)

    def read_entries(self, run_id: str, after: int = 0, *, lean: bool = False) -> Iterator[JournalEntry]:
        """The entries of a run after a place in its journal, in order."""
        for seq, events, details, tasks in self._lean_pieces(run_id, after) if lean else self._pieces(run_id, after):
            yield JournalEntry(seq, tuple(decode_batch(events, details, parted(tasks) if tasks else (), lean=lean)))

    def _pieces(self, run_id: str, after: int) -> Iterator[tuple[int, str, str, bytes | None]]:
        while rows := self._execute("read_entries", id=run_id, after=after, most=_PIECE):
            yield from ((seq, events, details, tasks) for seq, events, details, tasks, _ in rows)
            after = rows[-1][0]

    def _lean_pieces(self, run_id: str, after: int) -> Iterator[tuple[int, str, str, None]]:
        while rows := self._execute("read_lean_entries", id=run_id, after=after, most=_PIECE):
            for found, seq, events in rows:
                if found != run_id:
                    return
                yield seq, events, "", None
            after = rows[-1][1]

    def finish(self, run_id: str, state: str, counts: Mapping[str, int]) -> None:
        """Note how a run ended, for lists."""
        with translated(self._path), self._db:
            self._refuse_if_lost(run_id)
            self._execute("finish_run", id=run_id, state=state, counts=orjson.dumps(dict(counts)).decode())

    def keep_report(self, run_id: str, report: str) -> None:
        """Have the report of a run written to another file from now on."""
        with translated(self._path), self._db:
            self._refuse_if_lost(run_id)
            self._execute("keep_report", id=run_id, report=report)

    def post_command(self, run_id: str, at: float, who: str, why: str, body: str) -> int:
        """Tell a run something."""
        ((command_id,),) = self._execute("post_command", id=run_id, at=at, who=who, why=why, body=body)
        return int(command_id)

    def read_commands(self, run_id: str, after: int) -> list[CommandRow]:
        """What a run was told after a command, in order. Does not wait for a locked database: a run asks all the time."""
        self._db.set_busy_timeout(0)
        try:
            return [CommandRow(*row) for row in self._execute("read_commands", id=run_id, after=after)]
        finally:
            self._db.set_busy_timeout(int(self._wait_s * 1000))

    def resolve(self, text: str) -> str:
        """The id of the run that a person means."""
        return resolve_run(text, self)

    def newest(self) -> str | None:
        """The run that was made last."""
        return next((run_id for (run_id,) in self._execute("newest_run")), None)

    def starting_with(self, text: str) -> list[str]:
        """The ids that start so, newest first."""
        return [run_id for (run_id,) in self._execute("run_ids", text=text, beyond=text + _BEYOND)]

    def backup(self, path: Path) -> None:
        """Copy the database, as it is at one moment, to a new file. Whoever writes meanwhile goes on.

        Raises:
            InvalidInput: there is one.
        """
        copy_to(self._db, path)

    def close(self) -> None:
        """Close the store and the journals that are still open."""
        for writer in self._writers:
            writer.close()
        self._db.close()

    @contextmanager
    def _taking(self) -> Iterator[None]:
        """A transaction that may take a run or servers from others. What was first seen of them is kept if it fails."""
        try:
            with translated(self._path), self._db:
                yield
        finally:
            with suppress(StateFolderError):  # then it is seen first the next time
                while self._judge.first_seen:
                    run_id, seen = self._judge.first_seen.popitem()
                    self._execute("note_seen", id=run_id, seen=seen_text(seen))

    def _claim(self, run_id: str) -> Claim:
        (values,) = self._execute("claim", id=run_id)
        return claim_of(values)

    def _refuse_if_lost(self, run_id: str) -> None:
        token = self._mine.get(run_id)
        if token is not None and not self._execute("is_ours", id=run_id, token=token):
            raise OwnershipLost(run_id)

    def _forget(self, run_id: str, owner: Owner) -> None:
        if self._mine.get(run_id) == owner.token:
            del self._mine[run_id]

    def _renewal(self, moment: Moment | None = None) -> dict[str, Any]:
        return renewal_columns(moment or self._times.moment(), self._times.wall())

    def _execute(self, name: str, **values: Json) -> list[tuple[Any, ...]]:
        with translated(self._path):
            return list(self._db.execute(queries()[name], values))

    def _changes(self, name: str, **values: Json) -> int:
        with translated(self._path):
            before = self._db.total_changes()
            self._db.execute(queries()[name], values)
            return self._db.total_changes() - before
