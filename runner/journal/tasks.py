"""The tasks of jobs as a journal keeps them: apart from their events, compressed, and made when they are looked at.

They are most of what a journal tells, and a report alone asks for them, one job after the other.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, overload

import orjson

from runner.errors import StateFolderError
from runner.model import Task

if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_READABLE_HINT = "it was written by another version of runner, or it is damaged"
"""What to say of a journal that this version cannot read."""

_FIELDS = tuple(field.name for field in fields(Task))
_SIZE = 4
# Less than this, bytes, is not worth the time.
_COMPRESSED_FROM = 1024
_LEVEL = 1  # what is left at any other is no smaller: most of it is random ids


class StoredTasks(Sequence[Task]):
    """The tasks of a job, made anew each time that they are looked through.

    Raises:
        StateFolderError: where they are looked at, that they are not what this version writes.
    """

    __slots__ = ("_count", "_data")

    def __init__(self, data: bytes, count: int) -> None:
        self._data = data
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Task: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Task]: ...
    def __getitem__(self, index: int | slice) -> Task | Sequence[Task]:
        return self._made()[index]

    def __iter__(self) -> Iterator[Task]:
        return iter(self._made())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(self._made())

    def check(self) -> None:
        """Look whether they can be made."""
        self._columns()

    def _made(self) -> tuple[Task, ...]:
        return tuple(map(Task, *self._columns()))

    def _columns(self) -> list[list[Any]]:
        try:
            columns = orjson.loads(unpacked(self._data))
            fields_in_order = [columns[name] for name in _FIELDS]
            counts = set(map(len, fields_in_order))
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            raise StateFolderError(
                f"the journal has tasks that this version cannot read: {error!r}", hint=NOT_READABLE_HINT
            ) from error
        if counts != {self._count}:
            what = f"the journal has tasks of a job, and they are not the {self._count} that it had"
            raise StateFolderError(what, hint=NOT_READABLE_HINT)
        return fields_in_order


def tasks_json(tasks: Sequence[Task]) -> bytes:
    """The tasks of one job as JSON: an object of lists, one of each field. They are half as long so, and shrink to less."""
    return orjson.dumps({name: [getattr(task, name) for task in tasks] for name in _FIELDS})


def pack(lists: Sequence[bytes]) -> bytes:
    """The lists of tasks of several jobs, each by itself: its size, four bytes, the lowest first, and its bytes."""
    packed = [zlib.compress(data, _LEVEL) if len(data) >= _COMPRESSED_FROM else data for data in lists]
    return b"".join(part for data in packed for part in (len(data).to_bytes(_SIZE, "little"), data))


def parted(packed: bytes) -> list[bytes]:
    """What `pack` put together, still compressed; what is damaged comes apart in any way."""
    lists, at = [], 0
    while at < len(packed):
        begin = at + _SIZE
        at = begin + int.from_bytes(packed[at:begin], "little")
        lists.append(packed[begin:at])
    return lists


def unpacked(data: bytes) -> bytes:
    """One list of tasks as JSON.

    Raises:
        zlib.error: it is damaged.
    """
    return data if data[:1] == b"{" else zlib.decompress(data)


def as_written(data: bytes) -> bytes:
    """The same; what is damaged stays as it is, which no hash fits."""
    try:
        return unpacked(data)
    except zlib.error:
        return data
