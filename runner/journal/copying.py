"""A safe copy of a database that may be in use: one file, whole or not there, and nobody else's business."""

from __future__ import annotations

import os
from pathlib import Path

import apsw

from runner.errors import InvalidInput, Problem, StateFolderError
from runner.files.temporary import sync_folder, temporary_beside
from runner.journal.troubles import BUSY, in_words

_OF_THE_ORIGINAL = (*BUSY, apsw.CorruptError, apsw.NotADBError)


def copy_to(connection: apsw.Connection, path: Path) -> None:
    """Copy all that is committed at one moment. It needs room for as much again; entries written meanwhile stay out.

    Raises:
        InvalidInput: the file is there already.
        StateFolderError: it cannot be written.
    """
    try:
        with temporary_beside(path, 0o600) as part:
            connection.execute("VACUUM INTO ?", (str(part.path),))
            os.fsync(part.descriptor)
            _link(part.path, path)
            sync_folder(path.parent)
    except _OF_THE_ORIGINAL as error:
        raise in_words(Path(connection.filename), error) from error
    except (apsw.Error, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        hint = "choose another place for the copy, or make room there"
        raise StateFolderError(f"{path} cannot be written: {reason}", hint=hint) from error


def _link(part: Path, path: Path) -> None:
    """Give the file its name, unless something has it."""
    try:
        path.hardlink_to(part)
    except FileExistsError:
        raise _there_already(path) from None
    except OSError:  # a file system without links
        if path.exists():
            raise _there_already(path) from None
        part.rename(path)


def _there_already(path: Path) -> InvalidInput:
    return InvalidInput(Problem("is there already", str(path), hint="give the copy a name of its own"))
