"""Where a path leads that a person named to write to: a file, a stream that is written into, or nothing of the kind."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path
from typing import ClassVar, NamedTuple

from runner.errors import ExitCode, RunnerError
from runner.settings import JOURNAL_FILE

STDOUT = Path("-")
"""What stands for standard output where a file is named."""

_MOST_LINKS = 40  # as Linux has it
_DESCRIPTOR_FOLDERS = ("/dev/fd", "/proc/self/fd", "/proc/thread-self/fd")
_OF_STDOUT = 1


class FileNotWritten(RunnerError):
    """A file that was named cannot be written. What was there, if anything, is as it was, but for streams."""

    exit_code: ClassVar[ExitCode] = ExitCode.REFUSED

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{_shown(path)} cannot be written: {reason}", hint="make room there, or name another place")


class Kind(Enum):
    """How a place is written."""

    FILE = auto()  # replaced whole, or made
    DEVICE = auto()
    FIFO = auto()
    DESCRIPTOR = auto()  # one that the process was started with
    STDOUT = auto()


class Target(NamedTuple):
    """What is at the end of a path and of all links on it. `before` is what is there now; None: nothing."""

    kind: Kind
    path: Path
    descriptor: int = -1
    before: os.stat_result | None = None

    @property
    def is_stream(self) -> bool:
        """Whether it is written into, and keeps nothing that could be read again."""
        return self.kind is not Kind.FILE

    @property
    def is_of_process(self) -> bool:
        """Whether the same path is another place, or none, in another process."""
        return self.kind in {Kind.STDOUT, Kind.DESCRIPTOR}


def target_of(path: Path) -> Target:
    """What a path leads to.

    Raises:
        FileNotWritten: a folder, or what is no place to write to, such as a socket or a journal.
    """
    if path == STDOUT:
        return Target(Kind.STDOUT, path)
    try:
        end = _end_of_links(path)
        if isinstance(end, int):
            kind = Kind.STDOUT if end == _OF_STDOUT else Kind.DESCRIPTOR
            return Target(kind, path, end)
        before = _status(end)
        kind = Kind.FILE if before is None else _kind(end, before)
    except OSError as error:
        raise FileNotWritten(path, reason_of(error)) from error
    return Target(kind, end, before=before)


def _end_of_links(path: Path) -> Path | int:
    """The path without links; or a number where it leads to a descriptor of this process, which only looks like a link."""
    folders = {os.path.realpath(folder) for folder in _DESCRIPTOR_FOLDERS}
    for _ in range(_MOST_LINKS):
        folder = os.path.realpath(path.parent)
        if folder in folders and path.name.isdecimal():
            return int(path.name)
        path = Path(folder, path.name)
        if not path.is_symlink():
            return path
        path = Path(folder, path.readlink())
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _kind(path: Path, status: os.stat_result) -> Kind:
    if path.name.startswith(JOURNAL_FILE):
        raise OSError(errno.EBUSY, "it is the journal of a state folder")
    if stat.S_ISREG(status.st_mode):
        return Kind.FILE
    if stat.S_ISFIFO(status.st_mode):
        return Kind.FIFO
    if stat.S_ISCHR(status.st_mode):
        return Kind.DEVICE
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    raise OSError(errno.ENXIO, "it is a disk" if stat.S_ISBLK(status.st_mode) else "it is a socket")


def check_stream(target: Target) -> None:
    """Look whether a stream takes anything, as far as that shows before anything is written.

    Raises:
        OSError: it does not.
    """
    if target.kind is Kind.FIFO:
        # Not opened: whoever reads it would find its end when it is closed again.
        refuse_unwritable(target.path)
    elif target.kind is Kind.DEVICE:
        os.close(os.open(target.path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK))
    elif target.kind is Kind.DESCRIPTOR:
        _check_descriptor(target.descriptor)
    else:
        with suppress(ValueError, AttributeError):  # not a file at all
            _check_stdout()


def _check_stdout() -> None:
    try:
        number = sys.stdout.fileno()
    except OSError:
        return  # one in memory
    _check_descriptor(number)


def _check_descriptor(number: int) -> None:
    # Those that this program opened itself, its journal among them, are not inheritable (PEP 446).
    if fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise OSError(errno.EBADF, "it is open for reading only")
    if not os.get_inheritable(number):
        raise OSError(errno.EBADF, "it is closed")


def refuse_unwritable(path: Path) -> None:
    """Look whether this process may write to what is there.

    Raises:
        OSError: it may not.
    """
    if not os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise PermissionError(errno.EACCES, "it is write-protected")


def reason_of(error: OSError) -> str:
    """Why, in the system's words."""
    return error.strerror or str(error)


def _shown(path: Path) -> str:
    return "standard output" if path == STDOUT else str(path)
