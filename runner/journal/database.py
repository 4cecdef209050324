"""The database file of a store: WAL, synchronous FULL, its tables brought up to date, its errors in plain words.

apsw and not the sqlite3 module: the library that Python links on Debian 12 has the WAL-reset bug, which corrupts a
database that two connections write at once: exactly a run and a second command.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import apsw

from runner.errors import StateFolderError
from runner.journal.queries import SCHEMA_VERSION, schema, upgrade
from runner.journal.upgrading import FILL_IN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BUSY_MS = 10_000


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
        if version == 0:
            db.execute(schema())
        else:
            for step in range(version + 1, SCHEMA_VERSION + 1):
                db.execute(upgrade(step))
                if step in FILL_IN:
                    FILL_IN[step](db)
        db.pragma("user_version", SCHEMA_VERSION)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say into what a person can act on."""
    try:
        yield
    except apsw.FullError as error:
        raise StateFolderError(f"{path}: the disk is full", hint="make room, then `runner resume`") from error
    except apsw.IOError as error:
        raise StateFolderError(
            f"{path}: {error}", hint="is the disk full? make room, or choose another folder with --state-dir"
        ) from error
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise StateFolderError(f"{path} is damaged or no journal: {error}", hint="use another --state-dir") from error
    except apsw.BusyError as error:
        raise StateFolderError(f"{path} is locked by another process", hint="try again") from error
    except (apsw.Error, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StateFolderError(
            f"{path} cannot be used: {reason}", hint="choose a folder that can be written with --state-dir"
        ) from error
