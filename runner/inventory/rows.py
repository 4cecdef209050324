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
    from collections.abc import Callable

MOST_PROBLEMS = 20
# Not Server._make, which is Python: a call less per server of a million.
_make = partial(tuple.__new__, Server)
_Labels = dict[str, str]


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
            self.problem(
                "`id` is missing" if isinstance(row, dict) else "expected a mapping with `id`", line, None, where
            )
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
            for label in row.keys() & nested.keys():
                if row[label] != nested[label]:
                    self.problem(f"label `{label}` stands twice: in `labels` and beside them", line, None, where)
            row.update(nested)
        elif nested is not None:
            self.problem("`labels` must be a mapping of names to text", line, None, where)

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
            row = self._exactly(self.read_again())
        labels = dict(self._text_items(row, line, where))
        # Found again by text only: 1 and true are equal as keys, and not as labels.
        return self._labels.setdefault((*labels, *labels.values()), labels)

    @staticmethod
    def _exactly(again: JsonObject) -> JsonObject:
        nested = again.pop("labels", None)
        return {name: value for name, value in again.items() if name not in {"id", "name"}} | (nested or {})

    def _text_items(self, row: JsonObject, line: int | None, where: str | None) -> list[tuple[str, str]]:
        items: list[tuple[str, str]] = []
        for name, value in row.items():
            if isinstance(value, list | dict):
                self.problem(f"label `{name}` is a {type(value).__name__}; expected text", line, None, where)
            elif value is not None:
                items.append((name, ("true" if value else "false") if isinstance(value, bool) else str(value)))
        return items
