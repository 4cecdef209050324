"""A safe copy of a database that may be in use: one file, whole or not there, and nobody else's business."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runner.errors import InvalidInput, Problem
from runner.journal.troubles import translated

if TYPE_CHECKING:
    from pathlib import Path

    import apsw


def copy_to(connection: apsw.Connection, path: Path) -> None:
    """Copy all that is committed at one moment. It needs room for as much again; entries written meanwhile stay out.

    Raises:
        InvalidInput: the file is there already.
        StateFolderError: it cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with translated(path):
        try:
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            connection.execute("VACUUM INTO ?", (str(part),))
            _write_through(part, os.O_RDONLY)
            _link(part, path)
            _write_through(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        finally:
            part.unlink(missing_ok=True)


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


def _write_through(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
