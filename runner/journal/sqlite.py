"""Runs in SQLite: one file, WAL, synchronous FULL. Appends go through a writer thread (`writer.py`).

apsw and not the sqlite3 module: the library that Python links on Debian 12 has the WAL-reset bug, which corrupts a
database that two connections write at once: exactly a run and a second command.
"""

from __future__ import annotations

import os
import time
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import apsw
import orjson

from runner.errors import RefusedToStart, StateFolderError
from runner.journal.chain import Link, first_hash, next_hash
from runner.journal.codec import decode_batch
from runner.journal.naming import owner_may_live, refuse_living_owner, resolve_run, run_state
from runner.journal.owner import Owner, is_alive
from runner.journal.queries import SCHEMA_VERSION, queries, schema, upgrade_to_2
from runner.journal.store import TAKEOVER_S, Leased, LeaseRow, RunRecord, RunRow
from runner.journal.writer import JournalWriter, LastEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from runner.campaign.events import Event
    from runner.journal.naming import IsAlive

_BUSY_MS = 10_000
_PIECE = 500


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

    def save_plan(self, plan_hash: str, body: bytes) -> None:
        """Keep a plan's JSON under its hash."""
        self._execute("save_plan", plan_hash=plan_hash, body=zlib.compress(body, 1))

    def load_plan(self, plan_hash: str) -> bytes:
        """The JSON of a plan that was saved."""
        for (body,) in self._execute("load_plan", plan_hash=plan_hash):
            return zlib.decompress(body)
        raise StateFolderError(f"{self._path} has no plan {plan_hash}", hint="the journal is damaged")

    def create_run(self, record: RunRecord) -> None:
        """Add a run with an empty journal."""
        values = record._asdict() | _owner_values(record.owner)
        del values["servers"], values["owner"]
        with translated(self._path), self._db:
            if not self._changes("create_run", **values, now=self._now()):
                raise RefusedToStart(f"there is a run {record.id} already", hint="try again")
            self._lease(record.id, record.servers)

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

    def runs(self) -> list[RunRow]:
        """Every run, newest first."""
        return [self._row(values) for values in self._execute("runs")]

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
            raise RefusedToStart(f"run {run_id} was taken by another process just now", hint="see `runner list`")
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
        after = 0
        while True:
            rows = self._execute("read_entries", id=run_id, after=after, most=_PIECE)
            for after, events, _ in rows:  # noqa: B007  where to go on after the last
                yield from decode_batch(events, kinds, without)
            if len(rows) < _PIECE:
                return

    def finish(self, run_id: str, state: str, counts: Mapping[str, int]) -> None:
        """Note how a run ended, for lists."""
        self._execute("finish_run", id=run_id, state=state, counts=orjson.dumps(dict(counts)).decode())

    def resolve(self, text: str) -> str:
        """The id of the run that a person means."""
        return resolve_run(text, [row.id for row in self.runs()])

    def close(self) -> None:
        """Close the store and the journals that are still open."""
        for writer in self._writers:
            writer.close()
        self._db.close()

    def _row(self, values: tuple[Any, ...]) -> RunRow:
        run_id, campaign, plan_hash, created_at, state, counts = values[:6]
        known = orjson.loads(counts) if counts else None
        shown = run_state(state, self._lives(values))
        return RunRow(run_id, campaign, plan_hash, created_at, shown, known, _owner(values))

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


def connect(path: Path) -> apsw.Connection:
    """Open the file, and make or check its tables.

    Raises:
        StateFolderError: it cannot be used.
    """
    with translated(path):
        _make_folder(path)
        db = apsw.Connection(str(path))
        db.set_busy_timeout(_BUSY_MS)
        db.transaction_mode = "IMMEDIATE"
        db.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")
        _migrate(db, path)
        return db


def _make_folder(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # The journal names servers and says what was done to them: nobody else's business.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _migrate(db: apsw.Connection, path: Path) -> None:
    version = db.pragma("user_version")
    if version == SCHEMA_VERSION:
        return
    with db:
        version = db.pragma("user_version")
        if version > SCHEMA_VERSION:
            raise StateFolderError(
                f"{path} was written by a newer version of runner (format {version}, this one knows {SCHEMA_VERSION})",
                hint="use that version, or another --state-dir",
            )
        if version == 1:
            _upgrade_to_2(db)
        if version == 0:
            db.execute(schema())
        db.pragma("user_version", SCHEMA_VERSION)


def _upgrade_to_2(db: apsw.Connection) -> None:
    """Entries get the hashes that they would have been written with: from here on a change to them shows."""
    db.execute(upgrade_to_2())
    for run_id, plan_hash in list(db.execute("SELECT id, plan_hash FROM run")):
        before = first_hash(run_id, plan_hash)
        entries = db.execute("SELECT seq, events FROM entry WHERE run_id = ? ORDER BY seq", (run_id,))
        for seq, events in list(entries):
            before = next_hash(before, seq, events.encode())
            db.execute("UPDATE entry SET hash = ? WHERE run_id = ? AND seq = ?", (before, run_id, seq))


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say into what a person can act on."""
    try:
        yield
    except apsw.FullError as error:
        raise StateFolderError(f"{path}: the disk is full", hint="make room, then `runner resume`") from error
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise StateFolderError(f"{path} is damaged or no journal: {error}", hint="use another --state-dir") from error
    except apsw.BusyError as error:
        raise StateFolderError(f"{path} is locked by another process", hint="try again") from error
    except (apsw.Error, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StateFolderError(
            f"{path} cannot be used: {reason}", hint="choose a folder that can be written with --state-dir"
        ) from error


def _owner(values: tuple[Any, ...]) -> Owner | None:
    host, pid, start, token = values[6:10]
    return None if token is None else Owner(host, pid, start, token)


def _owner_values(owner: Owner | None) -> dict[str, Any]:
    if owner is None:
        return dict.fromkeys(("host", "pid", "start", "token"))
    return {"host": owner.host, "pid": owner.pid, "start": owner.process_start, "token": owner.token}
