"""One row to one server, and what is wrong with it."""

from __future__ import annotations

from typing import Any

from runner.errors import InvalidInput, Problem
from runner.model import Server
from runner.spec.rules import SERVER_ID

MOST_PROBLEMS = 20
_is_id = SERVER_ID.pattern.fullmatch
_Labels = dict[str, str]


class RowReader:
    """Collects servers; equal labels become one object, so that a million servers fit in memory."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.servers: list[Server] = []
        self._lines: dict[str, int | None] = {}
        self._labels: dict[tuple[Any, ...], _Labels] = {}
        self._problems: list[Problem] = []
        self._more = 0

    def problem(self, message: str, line: int | None, column: int | None = None, where: str | None = None) -> None:
        """Note what is wrong; beyond the first few it is only counted."""
        if len(self._problems) < MOST_PROBLEMS:
            self._problems.append(Problem(message, self.file, line, column, where))
        else:
            self._more += 1

    def fail_on_problems(self) -> None:
        """Raise what was noted.

        Raises:
            InvalidInput: something was.
        """
        if self._more:
            self._problems.append(Problem(f"and {self._more:,} more", self.file))
        if self._problems:
            raise InvalidInput(*self._problems)

    def add(self, row: Any, line: int | None, where: str | None = None) -> None:  # noqa: ANN401  whatever the file holds
        """Add the server of a row."""
        try:
            server_id = row.pop("id")
            name = row.pop("name", None) or server_id
        except (AttributeError, KeyError, TypeError):
            self.problem(
                "`id` is missing" if isinstance(row, dict) else "expected a mapping with `id`", line, None, where
            )
            return
        if type(server_id) is not str or type(name) is not str or not _is_id(server_id):
            self.problem(f"{server_id!r} is no valid id; expected {SERVER_ID.expected}", line, None, where)
        elif server_id in self._lines:
            first = self._lines[server_id]
            self.problem(f"the id {server_id} stands{f' on line {first}' if first else ''} already", line, None, where)
        else:
            self._lines[server_id] = line
            self.servers.append(Server(server_id, name, self._labels_of(row, line, where)))

    def _labels_of(self, row: dict[str, Any], line: int | None, where: str | None) -> _Labels:
        nested = row.pop("labels", None)
        if isinstance(nested, dict):
            row.update(nested)
        elif nested is not None:
            self.problem("`labels` must be a mapping of names to text", line, None, where)
        key = (*row, *row.values())
        try:
            found = self._labels.get(key)
        except TypeError:
            found = None
        return found if found is not None else self._new_labels(row, line, where)

    def _new_labels(self, row: dict[str, Any], line: int | None, where: str | None) -> _Labels:
        labels = dict(self._text_items(row, line, where))
        # Found again by text only: 1 and true are equal as keys, and not as labels.
        return self._labels.setdefault((*labels, *labels.values()), labels)

    def _text_items(self, row: dict[str, Any], line: int | None, where: str | None) -> list[tuple[str, str]]:
        items: list[tuple[str, str]] = []
        for name, value in row.items():
            if isinstance(value, list | dict):
                self.problem(f"label `{name}` is a {type(value).__name__}; expected text", line, None, where)
            elif value is not None:
                items.append((name, ("true" if value else "false") if isinstance(value, bool) else str(value)))
        return items
