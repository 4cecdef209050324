"""What SQLite and the system say of a database, in words that a person can act on."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import apsw

from runner.errors import StateFolderError
from runner.journal.store import StateFolderBusy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUSY = (apsw.BusyError, apsw.LockedError, apsw.ProtocolError)
"""Errors that pass when another process lets go."""

DAMAGED_HINT = (
    "keep the file, and go on with a copy that `runner backup` made; before anything runs on the same servers, look at "
    "what the service shows, for jobs may be at work on them"
)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system raise into StateFolderError."""
    try:
        yield
    except (apsw.Error, OSError) as error:
        raise in_words(path, error) from error


def in_words(path: Path, error: BaseException) -> StateFolderError:
    """The error to tell a person."""
    match error:
        case apsw.FullError():
            return StateFolderError(f"{path}: the disk is full", hint="make room, then `runner resume`")
        case apsw.BusyError() | apsw.LockedError() | apsw.ProtocolError():
            return StateFolderBusy(
                f"{path} is locked by another process",
                hint="try again when that is done: a backup, or a process that was frozen in the middle of a commit",
            )
        case apsw.NotADBError() | apsw.CorruptError():
            return StateFolderError(f"{path} is damaged or no journal: {error}", hint=DAMAGED_HINT)
        case apsw.IOError():
            hint = "the disk or its file system refused it (a limit, a quota?): mend that, then `runner resume`"
        case apsw.ReadOnlyError() | apsw.CantOpenError() | OSError():
            hint = "let this user write there; another folder (--state-dir) knows nothing of the runs in this one"
        case _:
            hint = f"is it a journal of runner? {DAMAGED_HINT}"
    return StateFolderError(f"{path} cannot be used: {getattr(error, 'strerror', None) or error}", hint=hint)
