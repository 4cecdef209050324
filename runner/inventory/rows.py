"""One row to one server, and what is wrong with it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from runner.errors import InvalidInput, Problem
from runner.inventory.exact import may_be_changed
from runner.model import Json, JsonObject, Server
from runner.spec.found import in_quotes, is_number
from runner.spec.rules import SERVER_ID, are_server_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

MOST_PROBLEMS = 20
# Not Server._make, which is Python: a call less per server of a million.
_make = partial(tuple.__new__, Server)
_Labels = dict[str, str]
_USUAL = frozenset(
    {"id", "ids", "serverid", "uuid", "instanceid", "deviceid", "nodeid", "hostid", "devserverid", "liteserverid"}
)


class RowReader:
    """Collects servers; equal labels become one object, so that a million servers fit in memory."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.read_again: Callable[[], JsonObject] | None = None
        """Gives the row that is being added once more, with the text of its numbers, where the first reading had none."""
        self.servers: list[Server] = []
        self._lines: list[int | None] = []  # of each server
        self._where: dict[int, str] = {}  # of those servers for which the line does not say it all
        self._labels: dict[tuple[Any, ...], _Labels] = {}
        self._problems: list[Problem] = []
        self._more = 0

    def problem(self, message: str, line: int | None, column: int | None = None, where: str | None = None) -> None:
        """Note what is wrong; beyond the first few it is only counted."""
        if len(self._problems) < MOST_PROBLEMS:
            self._problems.append(Problem(message, self.file, line, column, where))
        else:
            self._more += 1

    def finish(self) -> None:
        """Look for ids that stand twice, and raise all that is wrong.

        Raises:
            InvalidInput: something is.
        """
        ids = [server.id for server in self.servers]
        if not are_server_ids(ids):
            self._note_invalid()
        elif len(set(ids)) < len(ids):
            self._note_doubles()
        if self._more:
            self._problems.append(Problem(f"and {self._more:,} more", self.file))
        if self._problems:
            raise InvalidInput(*self._problems)

    def add(self, row: Json, line: int | None, where: str | None = None) -> None:
        """Add the server of a row. In one piece, because a call less per row is a tenth of a second for a million."""
        try:
            server_id = row.pop("id")
            name = row.pop("name", None) or server_id
        except (AttributeError, KeyError, TypeError):
            self.problem(_without_id(row), line, None, where)
            return
        if type(server_id) is not str or type(name) is not str:
            self._no_text(server_id, name, line, where)
            return
        if "labels" in row:
            self._flatten(row, line, where)
        try:
            labels = self._labels[(*row, *row.values())]
        except (KeyError, TypeError):
            labels = self._new_labels(row, line, where)
        self.servers.append(_make((server_id, name, labels)))
        self._lines.append(line)
        if where is not None:
            self._where[len(self.servers)] = where

    def _flatten(self, row: JsonObject, line: int | None, where: str | None) -> None:
        nested = row.pop("labels")
        if isinstance(nested, dict):
            if row.keys() & nested.keys():
                self._refuse_different(row, nested, line, where)
            row.update(nested)
        elif nested is not None:
            self.problem("`labels` must be a mapping of names to text", line, None, where)

    def _refuse_different(self, row: JsonObject, nested: JsonObject, line: int | None, where: str | None) -> None:
        again = {**row, "labels": nested} if self.read_again is None else self.read_again()
        for name in sorted(row.keys() & nested.keys()):
            one, other = again[name], again["labels"][name]
            if one != other:
                self.problem(
                    f"label `{name}` stands twice: as {one!r}, and in `labels` as {other!r}", line, None, where
                )

    def _invalid(self, server_id: Json, line: int | None, where: str | None) -> None:
        self.problem(f"{server_id!r} is no valid id; expected {SERVER_ID.expected}", line, None, where)

    def _no_text(self, server_id: Json, name: Json, line: int | None, where: str | None) -> None:
        if type(server_id) is str:
            self.problem(f"the name {name!r} is no text; {in_quotes(name) or 'expected text'}", line, None, where)
        elif is_number(server_id):
            self.problem(f"{server_id!r} is no valid id; an id is text: {in_quotes(server_id)}", line, None, where)
        else:
            self._invalid(server_id, line, where)

    def _note_invalid(self) -> None:
        for count, (server, line) in enumerate(zip(self.servers, self._lines, strict=True), 1):
            if not SERVER_ID.accepts(server.id):
                self._invalid(server.id, line, self._where.get(count))

    def _note_doubles(self) -> None:
        first_lines: dict[str, int | None] = {}
        for count, (server, line) in enumerate(zip(self.servers, self._lines, strict=True), 1):
            if server.id in first_lines:
                first = first_lines[server.id]
                message = f"the id {server.id} stands{f' on line {first}' if first else ''} already"
                self.problem(message, line, None, self._where.get(count))
            else:
                first_lines[server.id] = line

    def _new_labels(self, row: JsonObject, line: int | None, where: str | None) -> _Labels:
        if self.read_again is not None and any(map(may_be_changed, row.values())):
            row = _exactly(self.read_again())
        labels: _Labels = {}
        for name, value in row.items():
            for full, text in flattened(name, value):
                if labels.setdefault(full, text) != text:
                    self.problem(f"label `{full}` stands twice, as {labels[full]!r} and {text!r}", line, None, where)
        labels = self._labels.setdefault((*labels, *labels.values()), labels)
        # Else found again by text only: 1 and true are equal as keys, and not as labels.
        if all(value is None or type(value) is str for value in row.values()):
            self._labels[(*row, *row.values())] = labels
        return labels

    def different_labels(self) -> Collection[_Labels]:
        """All labels that servers have, each once."""
        return {id(labels): labels for labels in self._labels.values()}.values()


def _exactly(again: JsonObject) -> JsonObject:
    nested = again.get("labels")
    beside = {name: value for name, value in again.items() if name not in {"id", "name", "labels"}}
    return beside | nested if isinstance(nested, dict) else beside


def flattened(name: str, value: Json) -> Iterator[tuple[str, str]]:
    """The labels that a value comes to: nested values get their names joined by dots. Nothing, or empty text, is none.

    Of a list its places count from 0, but for a list of tags as clouds have it: `[{"key": K, "value": V}]` is `name.K`.
    """
    left = [(name, value)]
    while left:
        name, value = left.pop()
        if isinstance(value, dict):
            left += [(f"{name}.{key}", item) for key, item in reversed(value.items())]
        elif isinstance(value, list):
            left += [(f"{name}.{key}", item) for key, item in reversed(_named(value))]
        elif isinstance(value, bool):
            yield name, "true" if value else "false"
        elif value is not None and (text := str(value)):
            yield name, text


def _named(values: list[Json]) -> list[tuple[object, Json]]:
    if all(
        isinstance(item, dict) and item.keys() == {"key", "value"} and isinstance(item["key"], str) for item in values
    ):
        return [(item["key"], item["value"]) for item in values]
    return list(enumerate(values))


def id_column(names: Iterable[object]) -> str | None:
    """The name among these under which ids are usually found; it is not guessed, only told."""
    return next((str(name) for name in names if _usual(name) in _USUAL), None)


def _usual(name: object) -> str:
    return "".join(character for character in str(name).lower() if character.isalnum())


def _without_id(row: Json) -> str:
    if not isinstance(row, dict):
        return "expected a mapping with `id`"
    meant = id_column(row)
    return f"`id` is missing; if `{meant}` is it, call it `id`" if meant else "`id` is missing"
