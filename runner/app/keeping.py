"""Keeping what a state folder holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.app.folder import journal_path
from runner.errors import InvalidInput, Problem
from runner.files.writing import is_stdout
from runner.journal.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path


def backup(state_dir: Path, file: Path) -> int:
    """Copy a state folder's database to a file, while runs go on; return how many runs it holds.

    Raises:
        InvalidInput: there is no database, or the file is there already.
        StateFolderError: one of them cannot be read, or written.
    """
    if is_stdout(file):
        raise InvalidInput(
            Problem("a copy of the journal is a file, no stream", str(file), hint="name one that is new")
        )
    journal = journal_path(state_dir)
    if not journal.exists():
        raise InvalidInput(Problem("there is no journal to copy", str(journal), hint="is it the right --state-dir?"))
    store = SqliteStore(journal, reading=True)
    try:
        store.backup(file)
        return len(store.runs())
    finally:
        store.close()
