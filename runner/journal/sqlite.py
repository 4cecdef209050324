"""Runs in SQLite: one file. Appends go through a writer thread (`writer.py`)."""

from __future__ import annotations

import time
import zlib
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from runner.errors import RefusedToStart, StateFolderError
from runner.journal.chain import Link, first_hash
from runner.journal.codec import decode_batch, needs_details, state_at_end
from runner.journal.database import connect, translated
from runner.journal.naming import no_such_run, owner_may_live, refuse_living_owner, resolve_run, run_state
from runner.journal.owner import Owner, is_alive
from runner.journal.queries import queries
from runner.journal.sqlite_history import SqliteHistory
from runner.journal.store import TAKEOVER_S, CommandRow, Leased, LeaseRow, RunIsOpen, RunRecord, RunRow, SlotTaken
from runner.journal.writer import JournalWriter, LastEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from runner.journal.naming import IsAlive
    from runner.model import RunState
    from runner.run.events import Event

_PIECE = 500
_BEYOND = "\U0010ffff"  # sorts after whatever an id may have in its place


class SqliteStore:
    """A store in one file, which is made if it is not there. `now` gives epoch seconds."""

    def __init__(
        self,
        path: Path,
        *,
        now: Callable[[], float] = time.time,
        alive: IsAlive = is_alive,
        takeover_s: float = TAKEOVER_S,
    ) -> None:
        self._path = path
        self._now = now
        self._alive = alive
        self._takeover_s = takeover_s
        self._writers: list[JournalWriter] = []
        self._db = connect(path)
        self.history = SqliteHistory(self._db, path, self.run)

    def save_plan(self, plan_hash: str, body: bytes, digests: bytes | None = None) -> None:
        """Keep a plan's JSON under its hash, with the digests of its servers."""
        with translated(self._path), self._db:
            self._execute("save_plan", plan_hash=plan_hash, body=body)
            self._execute("index_plan", plan_hash=plan_hash, saved_at=self._now(), digests=digests)

    def load_plan(self, plan_hash: str) -> bytes:
        """The JSON of a plan that was saved."""
        for (body,) in self._execute("load_plan", plan_hash=plan_hash):
            return bytes(body) if body[:1] == b"{" else zlib.decompress(body)  # versions before compressed it
        raise StateFolderError(f"{self._path} has no plan {plan_hash}", hint="the journal is damaged")

    def create_run(self, record: RunRecord) -> None:
        """Add a run with an empty journal."""
        values = record._asdict() | _owner_values(record.owner)
        del values["servers"], values["owner"], values["once_key"], values["parents"]
        with translated(self._path), self._db:
            if not self._changes("create_run", **values, now=self._now()):
                raise RefusedToStart(f"there is a run {record.id} already", hint="try again")
            if record.once_key is not None:
                self._claim(record.once_key, record.id)
            if record.parents:
                self._execute("add_parents", id=record.id, parents=orjson.dumps(list(record.parents)).decode())
            self._lease(record.id, record.servers)

    def _claim(self, once_key: str, run_id: str) -> None:
        taken_by = self.find_slot(once_key)
        if taken_by is not None:
            raise SlotTaken(once_key, taken_by)
        self._execute("claim_slot", once_key=once_key, id=run_id)

    def find_slot(self, once_key: str) -> str | None:
        """The id of the run that has a slot."""
        return next((run_id for (run_id,) in self._execute("find_slot", once_key=once_key)), None)

    def lease(self, run_id: str, servers: Sequence[str]) -> None:
        """Lease more servers to a run, or the same again."""
        with translated(self._path), self._db:
            self._lease(run_id, servers)

    def _lease(self, run_id: str, servers: Sequence[str]) -> None:
        if not servers:
            return
        wanted = orjson.dumps(list(servers)).decode()
        for holder, held, count in self._execute("lease_holders", id=run_id, servers=wanted):
            if self._holds(holder):
                raise Leased(holder, held.split(" "), count)
            self._execute("fence_run", id=holder)  # should its process wake from a long freeze, it must not go on
        self._execute("lease", id=run_id, servers=wanted)

    def _holds(self, run_id: str) -> bool:
        (values,) = self._execute("run", id=run_id)
        return self._lives(values) or self._silent_s(values) < values[11]

    def release(self, run_id: str, keep: Collection[str] = ()) -> None:
        """Give the servers of a run free, all but those to keep."""
        self._execute("release_leases", id=run_id, keep=orjson.dumps(list(keep)).decode())

    def leases(self) -> list[LeaseRow]:
        """The runs that hold servers."""
        rows = []
        for run_id, count, _ in self._execute("leases"):
            (values,) = self._execute("run", id=run_id)
            until = None if self._lives(values) else (values[10] or 0.0) + values[11]
            rows.append(LeaseRow(run_id, count, self._row(values).state, until))
        return rows

    def links(self, run_id: str) -> Iterator[Link]:
        """The entries of a run with their hashes, in order."""
        after = 0
        while rows := self._execute("read_entries", id=run_id, after=after, most=_PIECE):
            yield from (Link(*row) for row in rows)
            after = rows[-1][0]

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

    def open_run(self, run_id: str, owner: Owner) -> JournalWriter:
        """Take ownership of a run and open its journal for appending."""
        (values,) = self._execute("run", id=run_id)
        seen = _owner(values)
        if seen is not None and seen.token != owner.token:
            refuse_living_owner(run_id, seen, self._silent_s(values), self._takeover_s, self._alive)
        taken = self._changes(
            "take_run", id=run_id, seen=seen.token if seen else None, now=self._now(), **_owner_values(owner)
        )
        if not taken:
            raise RunIsOpen(f"run {run_id} was taken by another process just now", hint="see `runner list`")
        last = next(
            (LastEntry(*row) for row in self._execute("last_entry", id=run_id)),
            LastEntry(0, first_hash(run_id, values[2])),
        )
        writer = JournalWriter(lambda: connect(self._path), run_id, owner.token, last, self._now)
        self._writers.append(writer)
        return writer

    def read_events(
        self, run_id: str, *, kinds: Collection[str] | None = None, without: Collection[str] = ()
    ) -> Iterator[Event]:
        """The durable events of a run, in order, read in pieces."""
        pieces = self._pieces(run_id) if needs_details(kinds, without) else self._pieces_without_details(run_id)
        for events, details in pieces:
            yield from decode_batch(events, details, kinds, without)

    def _pieces(self, run_id: str) -> Iterator[tuple[str, str]]:
        for link in self.links(run_id):
            yield link.events, link.details

    def _pieces_without_details(self, run_id: str) -> Iterator[tuple[str, str]]:
        after = 0
        while rows := self._execute("read_entries_without_details", id=run_id, after=after, most=_PIECE):
            for found, after, events in rows:  # noqa: B007  where to go on after the last
                if found != run_id:
                    return
                yield events, ""

    def finish(self, run_id: str, state: str, counts: Mapping[str, int]) -> None:
        """Note how a run ended, for lists."""
        self._execute("finish_run", id=run_id, state=state, counts=orjson.dumps(dict(counts)).decode())

    def post_command(self, run_id: str, at: float, who: str, why: str, body: str) -> int:
        """Tell a run something."""
        ((command_id,),) = self._execute("post_command", id=run_id, at=at, who=who, why=why, body=body)
        return int(command_id)

    def read_commands(self, run_id: str, after: int) -> list[CommandRow]:
        """What a run was told after a command, in order."""
        return [CommandRow(*row) for row in self._execute("read_commands", id=run_id, after=after)]

    def resolve(self, text: str) -> str:
        """The id of the run that a person means."""
        return resolve_run(text, self)

    def newest(self) -> str | None:
        """The run that was made last."""
        return next((run_id for (run_id,) in self._execute("newest_run")), None)

    def starting_with(self, text: str) -> list[str]:
        """The ids that start so, newest first."""
        return [run_id for (run_id,) in self._execute("run_ids", text=text, beyond=text + _BEYOND)]

    def close(self) -> None:
        """Close the store and the journals that are still open."""
        for writer in self._writers:
            writer.close()
        self._db.close()

    def _row(self, values: tuple[Any, ...]) -> RunRow:
        run_id, campaign, plan_hash, created_at, state, counts = values[:6]
        known = orjson.loads(counts) if counts else None
        is_open = self._lives(values)
        shown = run_state(state, owner_lives=is_open, journal_says=None if state else self._told_at_end(run_id))
        seq, simulated = values[12], None if values[13] is None else bool(values[13])
        return RunRow(run_id, campaign, plan_hash, created_at, shown, known, _owner(values), seq, simulated, is_open)

    def _told_at_end(self, run_id: str) -> str | None:
        """How a run ended, where its process died before it could note it."""
        return next((state_at_end(events) for (events,) in self._execute("last_events", id=run_id)), None)

    def _lives(self, values: tuple[Any, ...]) -> bool:
        return owner_may_live(_owner(values), self._silent_s(values), self._takeover_s, self._alive)

    def _silent_s(self, values: tuple[Any, ...]) -> float:
        return self._now() - (values[10] or 0.0)

    def _execute(self, name: str, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401  what SQL takes
        with translated(self._path):
            return list(self._db.execute(queries()[name], values))

    def _changes(self, name: str, **values: Any) -> int:  # noqa: ANN401  likewise
        with translated(self._path):
            before = self._db.total_changes()
            self._db.execute(queries()[name], values)
            return self._db.total_changes() - before


def _owner(values: tuple[Any, ...]) -> Owner | None:
    host, pid, start, token = values[6:10]
    return None if token is None else Owner(host, pid, start, token)


def _owner_values(owner: Owner | None) -> dict[str, Any]:
    if owner is None:
        return dict.fromkeys(("host", "pid", "start", "token"))
    return {"host": owner.host, "pid": owner.pid, "start": owner.process_start, "token": owner.token}
