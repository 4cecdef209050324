"""The servers as a page carries them: columns as JSON, each value once, compressed, in base64. No text in it is markup."""

from __future__ import annotations

import zlib
from base64 import b64encode
from typing import TYPE_CHECKING, NamedTuple

import orjson

from runner.plain import one_line
from runner.report.all_servers import label_names
from runner.report.web.markup import Markup

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.model import JsonObject
    from runner.report.all_servers import ServerResult

_GZIP = 31
"""Window bits of zlib that make the header one of gzip."""
_LEVEL = 6
_MOST_LABELS_SHOWN = 4


class _Column(NamedTuple):
    """A column: its name, and its value for a server."""

    name: str
    value: Callable[[ServerResult], str | None]


_FIRST = (
    _Column("server", lambda server: server.name),
    _Column("id", lambda server: server.id),
    _Column("outcome", lambda server: "at work" if server.at_work else server.outcome.replace("_", " ")),
    _Column("reason", lambda server: server.why),
    _Column("wave", lambda server: server.wave),
    _Column("group", lambda server: server.group),
    _Column("lane", lambda server: server.lane),
    _Column("step", lambda server: server.step),
)
_LAST = (_Column("job", lambda server: server.job_id), _Column("updated", lambda server: server.updated_at))
_OWN = frozenset(column.name for column in (*_FIRST, *_LAST))
_ALWAYS_SHOWN = frozenset({"server", "outcome"})


def packed(servers: Sequence[ServerResult], first_label: str | None) -> Markup:
    """All servers in base64. Labels are columns, too; of those that are shown, `first_label` is the first."""
    names = sorted(label_names(servers), key=lambda name: (name != first_label, name))
    labels, hidden = map(_label, names), set(names[_MOST_LABELS_SHOWN:])
    columns = [_packed_column(column, servers, hidden) for column in (*_FIRST, *labels, *_LAST)]
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    data = packer.compress(orjson.dumps({"rows": len(servers), "columns": columns})) + packer.flush()
    return Markup(b64encode(data).decode())


def _label(name: str) -> _Column:
    return _Column(f"labels.{name}" if name in _OWN else name, lambda server: server.labels.get(name))


def _packed_column(column: _Column, servers: Sequence[ServerResult], hidden: set[str]) -> JsonObject:
    """The different values, and for each server the place of its own; values that are all different stand alone.

    A column in which all are the same is not shown.
    """
    places: dict[str, int] = {}
    of = [places.setdefault(column.value(server) or "", len(places)) for server in servers]
    unlike = len(places) == len(servers)
    return {
        "name": one_line(column.name),
        "shown": column.name in _ALWAYS_SHOWN or (column.name not in hidden and len(places) > 1),
        "values": [one_line(value) for value in places],
        "of": None if unlike else of,
    }
