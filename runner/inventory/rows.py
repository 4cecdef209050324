"""Rows to servers, and what is wrong with them."""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from runner.errors import InvalidInput, Problem
from runner.inventory.exact import may_be_changed
from runner.inventory.label_sets import LabelSets
from runner.inventory.labels import columns_of_rows, flatten_all, flattened, usable_names
from runner.inventory.source import Inventory
from runner.servers import ServerColumns
from runner.spec.found import in_quotes, is_number
from runner.spec.rules import SERVER_ID, are_server_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from runner.model import Json, JsonObject

MOST_PROBLEMS = 20
AT_ONCE = 200
"""How many rows are read together; what is made of ten times as many is not in the cache of a core, and takes longer."""
_USUAL = frozenset(
    {"id", "ids", "serverid", "uuid", "instanceid", "deviceid", "nodeid", "hostid", "devserverid", "liteserverid"}
)


class RowReader:
    """Collects servers as columns; equal labels are kept once, so that a million servers fit in memory.

    `wanted` are the labels that are kept in any case, None: all. Others may be looked through, and forgotten.
    """

    def __init__(self, file: str, wanted: Collection[str] | None = None) -> None:
        self.file = file
        self.read_again: Callable[[], JsonObject] | None = None
        """Gives the row that is being added once more, with the text of its numbers, where the first reading had none."""
        self._ids: list[str] = []
        self._are_ids = True
        self._differ = True
        self._names: list[str] = []
        self._places: list[int] = []
        self._lines: list[Sequence[int]] = []  # of servers that were read together; 0: it has none
        self._where: dict[int, str] = {}  # of those servers for which the line does not say it all
        self._labels = LabelSets(wanted)
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
        if not self._are_ids:
            self._note_invalid()
        elif not self._differ or len(set(self._ids)) < len(
            self._ids
        ):  # all at once: a set that grows takes twice as long
            self._note_doubles()
        if self._more:
            self._problems.append(Problem(f"and {self._more:,} more", self.file))
        if self._problems:
            raise InvalidInput(*self._problems)

    def inventory(self, fingerprint: str) -> Inventory:
        """All that was read."""
        places = self._labels.merged(self._places)
        if len(self._labels.different) == len(places) and places == list(range(len(places))):
            places = range(len(places))  # each server has labels of its own
        return Inventory(ServerColumns(self._ids, self._names, self._labels.different, places), fingerprint)

    def add_all(
        self, rows: list[JsonObject], first_line: int, objects: Callable[[], int], again: Callable[[int], JsonObject]
    ) -> bool:
        """Add rows, one a line, that are as they mostly are; False, with none added, where an id, a name or `labels` is not.

        `objects` says how many objects and lists there are in all of them. `again` gives a row by its place, as
        `read_again` does. The rows are used up.
        """
        lines = range(first_line, first_line + len(rows))

        def place_of(at: int) -> int:
            self.read_again = partial(again, at)
            return self._place(rows[at], first_line + at, None)

        def place_of_whole(at: int) -> int:
            del rows[at]["id"]
            rows[at].pop("name", None)
            return place_of(at)

        if columns := columns_of_rows(rows):
            return self.add_columns(columns, lines, place_of_whole)
        try:
            ids = [row.pop("id") for row in rows]
            names = [row.pop("name", None) for row in rows]
        except (AttributeError, KeyError, TypeError):
            return False
        named = usable_names(ids, names)
        nested = [row for row in rows if "labels" in row]
        if named is None or not flatten_all(nested):
            return False

        # What is nested in a label may be in conflict with another.
        together = self._labels.keeps_all or objects() == len(rows) + len(nested)
        self._places += self._labels.places_of(rows, place_of) if together else map(place_of, range(len(rows)))
        self._append_all(ids, named, lines)
        return True

    def add_columns(self, columns: dict[str, Sequence[Json]], lines: range, place_of: Callable[[int], int]) -> bool:
        """Add servers by columns, where nothing, and empty text, is no label; False, with none added, if an id is no text.

        `place_of` is as for `LabelSets.places_of`. The columns are used up.
        """
        ids = columns.pop("id")
        named = usable_names(ids, columns.pop("name", ids))
        if named is None or not all(ids):
            return False
        self._places += self._labels.places_in(columns, len(ids), place_of)
        self._append_all(ids, named, lines)
        return True

    def _append_all(self, ids: Sequence[str], names: Sequence[str], lines: range) -> None:
        self._are_ids = self._are_ids and are_server_ids(ids)
        self._differ = self._differ and len(set(ids)) == len(ids)  # so that each is hashed while it is in the cache
        self._ids += ids
        self._names += names
        self._lines.append(lines)

    def add(self, row: Json, line: int | None, where: str | None = None) -> None:
        """Add the server of a row."""
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
        self._places.append(self._place(row, line, where))
        self._are_ids = self._are_ids and SERVER_ID.accepts(server_id)
        self._ids.append(server_id)
        self._names.append(name)
        self._lines.append((line or 0,))
        if where is not None:
            self._where[len(self._ids)] = where

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
        for count, (server_id, line) in enumerate(zip(self._ids, chain.from_iterable(self._lines), strict=True), 1):
            if not SERVER_ID.accepts(server_id):
                self._invalid(server_id, line or None, self._where.get(count))

    def _note_doubles(self) -> None:
        first_lines: dict[str, int] = {}
        for count, (server_id, line) in enumerate(zip(self._ids, chain.from_iterable(self._lines), strict=True), 1):
            if server_id in first_lines:
                first = first_lines[server_id]
                message = f"the id {server_id} stands{f' on line {first}' if first else ''} already"
                self.problem(message, line or None, None, self._where.get(count))
            else:
                first_lines[server_id] = line

    def _place(self, row: JsonObject, line: int | None, where: str | None) -> int:
        """The place of the labels of a row."""
        place = self._labels.known(row)
        if place is not None:
            return place
        written = row
        if self.read_again is not None and any(map(may_be_changed, row.values())):
            row = _exactly(self.read_again())
        labels: dict[str, str] = {}
        for name, value in row.items():
            for full, text in flattened(name, value):
                if labels.setdefault(full, text) != text:
                    self.problem(f"label `{full}` stands twice, as {labels[full]!r} and {text!r}", line, None, where)
        return self._labels.place(labels, written)


def _exactly(again: JsonObject) -> JsonObject:
    nested = again.get("labels")
    beside = {name: value for name, value in again.items() if name not in {"id", "name", "labels"}}
    return beside | nested if isinstance(nested, dict) else beside


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
