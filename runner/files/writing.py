"""The one way in which files are written that a person named, or that the state folder keeps beside the journal.

An ordinary file is replaced whole: a temporary one beside it takes its place once it is on disk. What is no ordinary file is
written into; so is one that no other can stand for: it has several names, an owner that a new one cannot have, or a
folder in which nothing can be made.
"""

from __future__ import annotations

import errno
import io
import os
import select
import stat
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from runner.files.places import FileNotWritten, Kind, Target, check_stream, reason_of, refuse_unwritable, target_of
from runner.files.temporary import sync_folder, temporary_beside

if TYPE_CHECKING:
    from pathlib import Path

Data = bytes | Iterable[bytes]
"""What is written: whole, or in pieces that can be gone through again."""
READER_S = 10.0
"""For how long a fifo waits for somebody to read it, seconds."""

_PRIVATE, _BY_UMASK = 0o600, 0o666
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_TO_BE_REPLACED = {errno.EACCES, errno.EPERM, errno.EBUSY, errno.EROFS, errno.EXDEV}
_PIECE = 2**16


class _NotReplaceable(OSError):
    """No other file can take its place just as it is."""


def write(
    path: Path, data: Data, *, private: bool = False, reader_s: float = READER_S, must_arrive: bool = False
) -> None:
    """Write a file, or into what is at the path. Folders that are missing are made.

    A new file is for those whom the umask lets, or for its owner alone if it is `private`; an existing one keeps its mode
    and its owner. A reader of a fifo is waited for. What standard output does not take is told of when the command ends,
    unless it `must_arrive`.

    Raises:
        FileNotWritten: it cannot be written. An ordinary file that was there is as it was.
    """
    target = target_of(path)
    try:
        if target.is_stream:
            _write_stream(target, data, reader_s, must_arrive=must_arrive)
        else:
            _write_file(target, data, _PRIVATE if private else _BY_UMASK)
    except OSError as error:
        raise FileNotWritten(path, reason_of(error)) from error


def check(path: Path, *, must_arrive: bool = False) -> None:
    """Look whether something could be written to a path now, as `write` would. Nothing is left there.

    Raises:
        FileNotWritten: it could not.
    """
    target = target_of(path)
    try:
        if target.is_stream:
            if must_arrive or target.kind is not Kind.STDOUT:
                check_stream(target)
        elif target.before is not None:
            refuse_unwritable(target.path)
        else:
            with temporary_beside(_nearest(target.path), _PRIVATE):
                pass
    except OSError as error:
        raise FileNotWritten(path, reason_of(error)) from error


def is_stdout(path: Path | None) -> bool:
    """Whether it is standard output, by whichever name."""
    try:
        return path is not None and target_of(path).kind is Kind.STDOUT
    except FileNotWritten:
        return False


def is_stream(path: Path) -> bool:
    """Whether what is there keeps nothing: standard output, a descriptor, a fifo, a device."""
    try:
        return target_of(path).is_stream
    except FileNotWritten:
        return False


def _nearest(path: Path) -> Path:
    """The path, or the first folder on it that is missing: what has to be made first."""
    while not path.parent.exists():
        path = path.parent
    return path


def _write_file(target: Target, data: Data, mode: int) -> None:
    path, before = target.path, target.before
    if before is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, data, mode, None)
        return
    refuse_unwritable(path)
    if before.st_nlink > 1:
        _write_in_place(path, data)  # all of its names show the same afterwards
        return
    try:
        _replace(path, data, _PRIVATE, before)
    except OSError as error:
        if not isinstance(error, _NotReplaceable) and error.errno not in _NOT_TO_BE_REPLACED:
            raise
        _write_in_place(path, data)


def _replace(path: Path, data: Data, mode: int, before: os.stat_result | None) -> None:
    with temporary_beside(path, mode) as temporary:
        if before is not None:
            _make_like(temporary.descriptor, path, before)
        _write_all(temporary.descriptor, data)
        os.fsync(temporary.descriptor)
        temporary.path.replace(path)
    with suppress(OSError):  # some file systems cannot; the file is whole either way
        sync_folder(path.parent)


def _make_like(descriptor: int, path: Path, before: os.stat_result) -> None:
    """Give a new file the owner, the mode and the attributes (lists of who may do what) of the one that it replaces."""
    made = os.fstat(descriptor)
    if (made.st_uid, made.st_gid) != (before.st_uid, before.st_gid):
        try:
            os.fchown(descriptor, before.st_uid, before.st_gid)
        except OSError as error:
            raise _NotReplaceable(error.errno, error.strerror) from error
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
    for name in _attributes(path):
        with suppress(OSError):  # those of the system are not ours to give
            os.setxattr(descriptor, name, os.getxattr(path, name))


def _attributes(path: Path) -> list[str]:
    try:
        return os.listxattr(path)
    except (AttributeError, OSError):  # a system, or a file system, that has none
        return []


def _write_in_place(path: Path, data: Data) -> None:
    size = sum(map(len, _pieces(data)))
    old = _beginning(path, size)
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _make_room(descriptor, size)
        try:
            _write_all(descriptor, data)
        except OSError:
            os.lseek(descriptor, 0, os.SEEK_SET)
            _write_all(descriptor, old)
            raise
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _beginning(path: Path, size: int) -> bytes:
    """So many bytes of a file; none of one that may only be written."""
    try:
        with path.open("rb") as file:
            return file.read(size)
    except PermissionError:
        return b""


def _make_room(descriptor: int, size: int) -> None:
    """Have all the room there is need of before anything is changed."""
    before = os.fstat(descriptor).st_size
    try:
        if size and hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        os.ftruncate(descriptor, before)
        if error.errno in _FULL:
            raise


def _write_stream(target: Target, data: Data, reader_s: float, *, must_arrive: bool) -> None:
    if must_arrive or target.kind is not Kind.STDOUT:
        check_stream(target)
    if target.kind is Kind.STDOUT:
        with suppress(BrokenPipeError):  # whoever read it has gone: that was enough for them
            _write_stdout(data, must_arrive=must_arrive)
        return
    descriptor = _opened(target, reader_s)
    try:
        _write_all(descriptor, data)
    finally:
        os.close(descriptor)


def _write_stdout(data: Data, *, must_arrive: bool) -> None:
    sys.stdout.flush()
    if must_arrive:  # not by the stream, which never fails
        with suppress(io.UnsupportedOperation):  # one in memory
            _write_all(sys.stdout.fileno(), data)
            return
    for piece in _pieces(data):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def _opened(target: Target, reader_s: float) -> int:
    if target.kind is Kind.DESCRIPTOR:
        return os.dup(target.descriptor)
    if target.kind is Kind.FIFO:
        return _opened_fifo(target.path, reader_s)
    return os.open(target.path, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)


def _opened_fifo(path: Path, reader_s: float) -> int:
    """Open it as soon as somebody reads it: in a thread, for that cannot be waited for with a limit."""
    opened: list[int] = []

    def open_it() -> None:
        with suppress(OSError):
            opened.append(os.open(path, os.O_WRONLY | os.O_CLOEXEC))

    thread = threading.Thread(target=open_it, name="fifo", daemon=True)
    thread.start()
    thread.join(reader_s)
    if opened:
        return opened[0]
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # which is what the thread waits for
    thread.join()
    for descriptor in (reader, *opened):
        os.close(descriptor)
    raise OSError(errno.ENXIO, "nobody reads it")


def _pieces(data: Data) -> Iterable[bytes]:
    return (data,) if isinstance(data, bytes) else data


def _write_all(descriptor: int, data: Data) -> None:
    for piece in _pieces(data):
        _write_piece(descriptor, piece)


def _write_piece(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(descriptor, left[:_PIECE]) :]
        except BlockingIOError:  # who gave us the descriptor has it so
            select.select([], [descriptor], [])
