"""A file beside another, that is to take its place: locked while somebody writes it, so that what was left shows."""

from __future__ import annotations

import fcntl
import os
import re
import stat
from contextlib import contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LONGEST_NAME = 55  # characters of the other's name: four bytes each, and what is added, are less than a name may have
_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
_THERE = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Temporary(NamedTuple):
    """One that is open, and nobody else's."""

    path: Path
    descriptor: int


@contextmanager
def temporary_beside(path: Path, mode: int) -> Iterator[Temporary]:
    """An empty file in the folder of `path`, with this mode as far as the umask lets it. At the end it is gone.

    Unless it was given another name. What processes that were killed have left for the same path is removed first.

    Raises:
        OSError: there can be none.
    """
    _remove_left(path)
    made = _made(path, mode)
    try:
        yield made
    finally:
        with suppress(OSError):
            if _is_at(made.path, made.descriptor):
                made.path.unlink()
        os.close(made.descriptor)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk.

    Raises:
        OSError: it cannot be, as on some file systems.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _made(path: Path, mode: int) -> Temporary:
    for number in count():
        name = path.with_name(f"{_beginning(path)}{number}.part")
        try:
            descriptor = os.open(name, _NEW, mode)
        except FileExistsError:
            continue  # somebody else writes the same file
        if _is_locked(descriptor) and _is_at(name, descriptor):
            return Temporary(name, descriptor)
        os.close(descriptor)  # another process took it for a file that was left, in the moment before it was locked
    raise AssertionError("there is no last number")


def _remove_left(path: Path) -> None:
    pattern = re.compile(rf"{re.escape(_beginning(path))}\d+\.part")
    names: list[str] = []
    with suppress(OSError), os.scandir(path.parent) as entries:  # a folder may be for writing only
        names += (entry.name for entry in entries if pattern.fullmatch(entry.name))
    for name in names:
        with suppress(OSError):  # then it stays: it is in nobody's way
            _remove_if_left(path.with_name(name))


def _remove_if_left(path: Path) -> None:
    descriptor = os.open(path, _THERE)
    try:
        status = os.fstat(descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and _is_at(path, descriptor):
            path.unlink()
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks, on which nobody can take it for one that was left either
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        there, mine = path.lstat(), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)


def _beginning(path: Path) -> str:
    return f".{path.name[:_LONGEST_NAME]}."
