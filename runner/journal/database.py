"""The database file of a store: WAL, synchronous FULL, its tables brought up to date.

apsw and not the sqlite3 module: the library that Python links on Debian 12 has the WAL-reset bug, which corrupts a
database that two connections write at once: exactly a run and a second command.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

import apsw

from runner.errors import StateFolderError
from runner.journal.files import COPY_HINT, FilePlace, refuse_lone_wal, size_of, wal_of
from runner.journal.queries import SCHEMA_VERSION, schema, upgrade
from runner.journal.troubles import BUSY, translated
from runner.journal.upgrading import FILL_IN

if TYPE_CHECKING:
    from pathlib import Path

BUSY_S = 10.0
"""For how long a command waits for a database that another process holds, seconds."""

_POLL_S = 0.05
_WRITABLE = apsw.SQLITE_OPEN_READWRITE
_READ_ONLY = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI


class Database(NamedTuple):
    """An open database: the connection, and where its files are."""

    connection: apsw.Connection
    place: FilePlace


def open_database(path: Path, wait_s: float = BUSY_S) -> Database:
    """Open the file to write, and make or check its tables. It waits for `wait_s` where another process holds it.

    Raises:
        StateFolderError: it cannot be used.
    """
    with translated(path):
        _make_file(path)
        connection = _connection(str(path), _WRITABLE, wait_s)
        _migrate(connection, path)
        _write_ahead(connection, wait_s)
        return Database(connection, FilePlace(path))


def open_again(place: FilePlace, wait_s: float) -> apsw.Connection:
    """Open a database that is open already once more; it waits so long for locks.

    Raises:
        StateFolderError: it is not there any more.
        apsw.Error: it cannot be had, as SQLite says it.
    """
    place.check()
    connection = _connection(str(place.path), _WRITABLE, wait_s)
    connection.pragma("synchronous", "FULL")
    return connection


def open_to_read(path: Path, wait_s: float = BUSY_S) -> Database:
    """Open the file to read only, where nothing can be written beside it; a file that is not there is an empty one.

    Raises:
        StateFolderError: it cannot be read.
    """
    with translated(path):
        refuse_lone_wal(path)
        if not size_of(path):
            connection = _connection(":memory:", _WRITABLE)
            _migrate(connection, path)
        elif _may_write(path) and _may_write(path.parent):
            return open_database(path, wait_s)
        else:
            connection = _up_to_date(_read_only(path, wait_s), path)
        return Database(connection, FilePlace(path))


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _make_file(path: Path) -> None:
    refuse_lone_wal(path)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        # The journal names servers and says what was done to them: nobody else's business. Only a file that is new is
        # opened here: closing one drops the locks that this process has on it.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return


def _connection(name: str, flags: int, wait_s: float = BUSY_S) -> apsw.Connection:
    connection = apsw.Connection(name, flags=flags)
    connection.set_busy_timeout(int(wait_s * 1000))
    connection.transaction_mode = "IMMEDIATE"
    connection.pragma("foreign_keys", True)  # noqa: FBT003  as SQLite has it
    return connection


def _write_ahead(connection: apsw.Connection, wait_s: float) -> None:
    """Switch to a -wal file. Only after the tables are made: so a file that has none is a copy without its -wal."""
    until = time.monotonic() + wait_s
    while True:
        try:
            connection.pragma("journal_mode", "WAL")
            connection.pragma("synchronous", "FULL")
            connection.pragma("user_version")  # a first read: from here on the -wal is there
        except BUSY:  # SQLite does not wait where two processes switch at once
            if time.monotonic() >= until:
                raise
            time.sleep(_POLL_S)
        else:
            return


def _migrate(connection: apsw.Connection, path: Path) -> None:
    version = connection.pragma("user_version")
    if version == SCHEMA_VERSION:
        return
    with connection:
        version = connection.pragma("user_version")
        _refuse_others(connection, path, version)
        if version == 0:
            connection.execute(schema())
        else:
            for step in range(version + 1, SCHEMA_VERSION + 1):
                connection.execute(upgrade(step))
                if step in FILL_IN:
                    FILL_IN[step](connection)
        connection.pragma("user_version", SCHEMA_VERSION)


def _refuse_others(connection: apsw.Connection, path: Path, version: int) -> None:
    if version > SCHEMA_VERSION:
        raise StateFolderError(
            f"{path} was written by a newer version of runner (format {version}, this one knows {SCHEMA_VERSION})",
            hint="use that version",
        )
    if version == 0 and connection.pragma("journal_mode") == "wal":
        raise StateFolderError(
            f"{path} is a copy without its -wal file: it has nothing of what was written",
            hint=f"copy {wal_of(path).name} with it, before anything runs on the same servers; {COPY_HINT}",
        )


def _read_only(path: Path, wait_s: float) -> apsw.Connection:
    """A connection that makes no file. Without a -wal nobody is writing, and SQLite is told that it stays so."""
    uri = path.absolute().as_uri()
    try:
        connection = _connection(f"{uri}?mode=ro", _READ_ONLY, wait_s)
        connection.pragma("user_version")
    except (apsw.CantOpenError, apsw.ReadOnlyError):
        if size_of(wal_of(path)):
            raise StateFolderError(
                f"{path} cannot be read: its newest entries are in {wal_of(path).name}, and nothing can be written there",
                hint="copy both files to a folder of your own, and read that with --state-dir",
            ) from None
        return _connection(f"{uri}?immutable=1", _READ_ONLY, wait_s)
    return connection


def _up_to_date(connection: apsw.Connection, path: Path) -> apsw.Connection:
    """The database itself, or a copy in memory where it is of an earlier version."""
    version = connection.pragma("user_version")
    if version == SCHEMA_VERSION:
        return connection
    _refuse_others(connection, path, version)
    copy = _connection(":memory:", _WRITABLE)
    with copy.backup("main", connection, "main") as copying:
        copying.step()
    connection.close()
    _migrate(copy, path)
    return copy
