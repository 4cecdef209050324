"""The servers of a list that the service gave, with the labels of a file added by id."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import orjson

from runner.inventory.rows import AT_ONCE, RowReader

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from runner.inventory.files import InventoryFile
    from runner.inventory.source import Inventory
    from runner.model import JsonObject
    from runner.servers import ServerColumns

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class JoinedList:
    """The NDJSON of a list at `path`, which `name` is said of, and a file that is joined to it.

    `wanted` are the labels that will be looked at; None: all.
    """

    path: Path
    name: str
    join: InventoryFile
    wanted: Collection[str] | None = None

    def read(self) -> Joined:
        """Read both.

        Raises:
            InvalidInput: the file is wrong, or says of a server what the list does not.
        """
        beside = replace(self.join, wanted=self.wanted).read()
        places = {server_id: index for index, server_id in enumerate(beside.servers.ids)}
        rows = RowReader(self.name, self.wanted)
        digest = hashlib.sha256()
        absent = 0
        with self.path.open("rb") as file:
            first = 1
            while lines := list(islice(file, AT_ONCE)):
                digest.update(b"".join(lines))
                listed: list[JsonObject] = list(map(orjson.loads, lines))
                absent += self._add(rows, listed, first, beside.servers, places)
                first += len(lines)
        rows.finish()
        fingerprint = hashlib.sha256(f"{digest.hexdigest()} {beside.fingerprint}".encode()).hexdigest()
        return Joined(rows.inventory(f"sha256:{fingerprint}"), tuple(self._remarks(absent, places)))

    def _add(
        self,
        rows: RowReader,
        listed: Sequence[JsonObject],
        first: int,
        beside: ServerColumns,
        places: dict[str, int],
    ) -> int:
        """Add servers of the list; return how many of them the file does not have. What it has is taken out of `places`."""
        absent = 0
        for line, row in enumerate(listed, first):
            place = places.pop(row["id"], None)
            if place is None:
                absent += 1
            else:
                self._join(row, beside[place].labels, rows, line)
            rows.add(row, line)
        return absent

    def _join(self, row: JsonObject, labels: Mapping[str, str], rows: RowReader, line: int) -> None:
        for name, text in labels.items():
            if row.setdefault(name, text) != text:
                message = f"server {row['id']}: the service says {name} {row[name]!r}, and {self.join.name} {text!r}"
                rows.problem(message, line)

    def _remarks(self, absent: int, left: Iterable[str]) -> Iterable[str]:
        gone = list(left)
        if absent:
            yield f"{absent:,} servers that the service lists are not in {self.join.name}"
        if gone:
            first = ", ".join(gone[:_SHOWN]) + (", ..." if len(gone) > _SHOWN else "")
            yield f"{len(gone):,} servers of {self.join.name} are not listed by the service: {first}"


class Joined(NamedTuple):
    """What came of it. `remarks` are what is in one and not in the other."""

    inventory: Inventory
    remarks: tuple[str, ...]
