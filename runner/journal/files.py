"""The files of a database: whether they are still those that were opened, and whether there is more than one of them.

Nothing here opens them: who closes a file drops all locks that its process has on it (fcntl(2)), SQLite's, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import StateFolderError

if TYPE_CHECKING:
    from pathlib import Path

COPY_HINT = "`runner backup` copies a state folder safely, while runs go on"


class FilePlace:
    """The files at a path, as they are when this is made: with a connection open, so that all of them are there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files = _identities(path)

    @property
    def is_as_it_was(self) -> bool:
        """Whether the path still leads to these files. What is written to others, nobody will find."""
        return _identities(self.path) == self._files

    def check(self) -> None:
        """Look.

        Raises:
            StateFolderError: it does not.
        """
        if not self.is_as_it_was:
            raise StateFolderError(
                f"{self.path} was deleted, moved or replaced while it was in use: nothing more is sent",
                hint="put it back as it was, then `runner resume`; before anything else runs on the same servers, look "
                "at what the service shows",
            )


def wal_of(path: Path) -> Path:
    """The file that has the newest entries of a database while it is in use."""
    return path.with_name(f"{path.name}-wal")


def size_of(path: Path) -> int:
    """Bytes; 0 where there is no such file."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def refuse_lone_wal(path: Path) -> None:
    """Look before a database is opened: SQLite would delete the entries of one that is not there.

    Raises:
        StateFolderError: there are some.
    """
    wal = wal_of(path)
    if not size_of(path) and size_of(wal):
        raise StateFolderError(
            f"{wal} has entries, and {path.name}, which they belong to, is missing or empty",
            hint=f"put {path.name} back beside it, or both away together; {COPY_HINT}",
        )


def _identities(path: Path) -> list[tuple[int, int] | None]:
    return [_identity(file) for file in (path, wal_of(path))]


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
