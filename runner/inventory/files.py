"""Servers from a file: CSV, TSV, JSON, NDJSON or YAML, by its ending. Large fleets belong in NDJSON or CSV.

A row has an `id`, a `name` (the id, if there is none), and labels: a `labels` mapping, and any other column.
"""

from __future__ import annotations

import hashlib
import re
from codecs import BOM_UTF8
from dataclasses import dataclass
from functools import cache
from io import BufferedReader, BytesIO
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

import orjson

from runner.errors import InvalidInput, Problem
from runner.inventory.exact import read_quickly, read_texts
from runner.inventory.rows import AT_ONCE, RowReader
from runner.inventory.shapes import entries
from runner.inventory.tables import read_table, separator_of
from runner.spec.json_source import read_document
from runner.spec.yaml_source import decode, path_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from runner.inventory.source import Inventory

STANDARD_INPUT = "standard input"
_YAML_LINE = re.compile(r"^(?:- |---|#|%|[^,;\t|]*:(?:\s|$))")


@dataclass(frozen=True, slots=True)
class InventoryFile:
    """The servers of a file; `data` is what was read already, of one that can be read only once.

    `wanted` are the labels that are kept in any case; None: all (`label_sets.py`).
    """

    path: Path
    data: bytes | None = None
    wanted: Collection[str] | None = None

    @property
    def name(self) -> str:
        """The path as it was given."""
        return STANDARD_INPUT if str(self.path) == "-" else str(self.path)

    @property
    def can_be_read_again(self) -> bool:
        """Whether reading takes nothing away, as it does from a pipe."""
        return self.data is not None or self.path.is_file()

    def read(self) -> Inventory:
        """Read them all.

        Raises:
            InvalidInput: it cannot be read, or rows of it are wrong; names each with its line.
        """
        reader = _READERS.get(self.path.suffix.lower())
        if reader is None:
            expected = f"expected one of {', '.join(filter(None, _READERS))}, or none"
            raise InvalidInput(Problem(f"{self.path.suffix}: {expected}", file=self.name))
        rows = RowReader(self.name, self.wanted)
        try:
            with self._open() as file:
                fingerprint = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
                file.seek(0)
                reader(file, rows)
        except OSError as error:
            raise InvalidInput(
                Problem(f"cannot be read: {error.strerror}", self.name, hint="check inventory: or -i")
            ) from error
        rows.finish()
        return rows.inventory(fingerprint)

    def _open(self) -> BufferedReader | BytesIO:
        if self.data is not None:
            return BytesIO(self.data)
        file = self.path.open("rb")
        if file.seekable():
            return file
        with file:  # such as a pipe: it is read twice, for its fingerprint and for its servers
            return BytesIO(file.read())


def _read_ndjson(file: BinaryIO, rows: RowReader) -> None:
    if file.read(len(BOM_UTF8)) != BOM_UTF8:
        file.seek(0)
    first = 1
    while lines := list(islice(file, AT_ONCE)):
        if not _add_usual(lines, first, rows):
            _add_each(lines, first, rows)
        first += len(lines)


def _add_usual(lines: list[bytes], first: int, rows: RowReader) -> bool:
    """Add lines together; False, with none added, where one is not as lines mostly are."""
    try:
        objects = list(map(orjson.loads, lines))
    except orjson.JSONDecodeError:
        return False
    return rows.add_all(objects, first, lambda: _objects_in(lines), lambda at: read_texts(lines[at], rows.file))


def _objects_in(lines: list[bytes]) -> int:
    text = b"".join(lines)
    return text.count(b"{") + (b"[" in text)


def _add_each(lines: list[bytes], first: int, rows: RowReader) -> None:
    line = b""
    rows.read_again = lambda: read_texts(line, rows.file)
    for number, line in enumerate(lines, first):
        try:
            rows.add(orjson.loads(line), number)
        except orjson.JSONDecodeError:
            if line.strip():
                _add_unusual(line, number, rows)


def _add_unusual(line: bytes, number: int, rows: RowReader) -> None:
    try:
        rows.add(read_quickly(line, rows.file), number)
    except InvalidInput:
        rows.problem("not UTF-8; save the file as UTF-8", number)
    except orjson.JSONDecodeError as error:
        rows.problem(f"not valid JSON: {error.msg}", number, error.colno)


def _read_json(file: BinaryIO, rows: RowReader) -> None:
    data = file.read().removeprefix(BOM_UTF8)
    try:
        document = read_quickly(data, rows.file)
    except orjson.JSONDecodeError as error:
        rows.problem(f"not valid JSON: {error.msg}", error.lineno, error.colno)
        return
    exactly = cache(lambda: list(entries(read_texts(data, rows.file), RowReader(rows.file))))
    index = 0
    rows.read_again = lambda: exactly()[index].row
    for index, (row, _) in enumerate(entries(document, rows)):
        rows.add(row, None, f"entry {index + 1}")


def _read_yaml(file: BinaryIO, rows: RowReader) -> None:
    source = read_document(decode(file.read(), rows.file), rows.file)
    for row, path in entries(source.data, rows):
        rows.add(row, source.position(path)[0], path_text(path))


def _read_by_content(file: BinaryIO, rows: RowReader) -> None:
    """A file without an ending, such as what a program writes: JSON, NDJSON, CSV or YAML, as it begins."""
    data = file.read()
    file.seek(0)
    lines = data.removeprefix(BOM_UTF8).lstrip().splitlines()
    if not lines:
        rows.problem("it is empty; expected servers", 1)
    elif lines[0][:1] == b"{" and len(lines) > 1 and _is_json(lines[0]):
        _read_ndjson(file, rows)
    elif lines[0][:1] in {b"[", b"{"}:
        _read_json(BytesIO(data.removeprefix(BOM_UTF8)), rows)
    elif _begins_a_table(lines[0]):
        read_table(file, rows)
    else:
        _read_yaml(file, rows)


def _is_json(line: bytes) -> bool:
    try:
        read_quickly(line, "")
    except (orjson.JSONDecodeError, InvalidInput):
        return False
    return True


def _begins_a_table(line: bytes) -> bool:
    text = line.decode(errors="replace")
    return text.lower().startswith("sep=") or separator_of(text) is not None or not _YAML_LINE.search(text)


_READERS: dict[str, Callable[[BinaryIO, RowReader], None]] = {
    ".csv": read_table,
    ".tsv": read_table,
    ".json": _read_json,
    ".ndjson": _read_ndjson,
    ".jsonl": _read_ndjson,
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
    "": _read_by_content,
}
