"""What differs between two lists of servers, in memory that does not hold either."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from runner.model import JsonObject

_MOST_TOLD = 20


class ChangedServer(NamedTuple):
    """A server whose labels, or name, are not what they were: each with what it was and what it is; None: there is none."""

    id: str
    name: str
    labels: dict[str, tuple[str | None, str | None]]


class FleetChange(NamedTuple):
    """What differs since `since`, epoch seconds: ids that are new and gone, and how many servers changed, the first told."""

    since: float
    new: Sequence[str]
    gone: Sequence[str]
    changed: int
    first_changed: Sequence[ChangedServer]

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.new or self.gone or self.changed)


def fleet_change(before: Path, after: Path, since: float) -> FleetChange:
    """What differs between two lists.

    Raises:
        OSError: one cannot be read.
    """
    if before == after:
        return FleetChange(since, (), (), 0, ())
    known = {server: hash(line) for server, line in _lines(before)}
    new: list[str] = []
    changed = 0
    told: dict[str, JsonObject] = {}
    for server, line in _lines(after):
        was = known.pop(server, None)
        if was is None:
            new.append(server)
        elif was != hash(line):
            changed += 1
            if len(told) < _MOST_TOLD:
                told[server] = orjson.loads(line)
    return FleetChange(since, new, list(known), changed, list(_told(before, told)))


def _told(before: Path, told: dict[str, JsonObject]) -> Iterator[ChangedServer]:
    if not told:
        return
    for server, line in _lines(before):
        if server in told:
            was, now = orjson.loads(line), told[server]
            names = [name for name in was | now if was.get(name) != now.get(name)]
            yield ChangedServer(server, now["name"], {name: (was.get(name), now.get(name)) for name in names})


def _lines(path: Path) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as file:
        for line in file:
            yield orjson.loads(line)["id"], line
