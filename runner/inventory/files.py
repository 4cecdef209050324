"""Servers from a file: CSV, JSON, NDJSON or YAML, by its ending. Large fleets belong in NDJSON or CSV.

A row has an `id`, a `name` (the id, if there is none), and labels: a `labels` mapping, and any other column.
"""

from __future__ import annotations

import csv
import hashlib
from codecs import BOM_UTF8
from dataclasses import dataclass
from functools import cache
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import orjson

from runner.errors import InvalidInput, Problem
from runner.inventory.exact import read_quickly, read_texts
from runner.inventory.rows import RowReader
from runner.inventory.source import Inventory
from runner.spec.json_source import read_document
from runner.spec.yaml_source import decode, path_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.model import Json


@dataclass(frozen=True, slots=True)
class InventoryFile:
    """The servers of a file."""

    path: Path

    @property
    def name(self) -> str:
        """The path as it was given."""
        return str(self.path)

    def read(self) -> Inventory:
        """Read them all.

        Raises:
            InvalidInput: it cannot be read, or rows of it are wrong; names each with its line.
        """
        reader = _READERS.get(self.path.suffix.lower())
        if reader is None:
            ending = self.path.suffix or "no ending"
            raise InvalidInput(Problem(f"{ending}: expected one of {', '.join(_READERS)}", file=self.name))
        rows = RowReader(self.name)
        try:
            with self.path.open("rb") as file:
                fingerprint = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
                file.seek(0)
                reader(file, rows)
        except OSError as error:
            raise InvalidInput(
                Problem(f"cannot be read: {error.strerror}", self.name, hint="check inventory: or -i")
            ) from error
        rows.finish()
        return Inventory(rows.servers, fingerprint)


def _read_ndjson(file: BinaryIO, rows: RowReader) -> None:
    loads, add = orjson.loads, rows.add
    if file.read(len(BOM_UTF8)) != BOM_UTF8:
        file.seek(0)
    line = b""
    rows.read_again = lambda: read_texts(line, rows.file)
    for number, line in enumerate(file, 1):
        try:
            add(loads(line), number)
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


def _read_csv(file: BinaryIO, rows: RowReader) -> None:
    text = TextIOWrapper(file, "utf-8-sig", newline="")
    reader = csv.reader(text, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if _header_is_fine(header, rows):
            for row in reader:
                _add_csv(header, row, rows, reader.line_num)
    except csv.Error as error:
        rows.problem(f"not valid CSV: {error}", reader.line_num)
    except UnicodeDecodeError:
        rows.problem("not UTF-8; save the file as UTF-8", _first_line_not_utf8(rows.file))
    finally:
        text.detach()


def _first_line_not_utf8(file: str) -> int:
    data = Path(file).read_bytes()
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return data.count(b"\n", 0, error.start) + 1
    return 1


def _header_is_fine(header: list[str], rows: RowReader) -> bool:
    if "id" not in header:
        rows.problem("the first line must name the columns, one of them `id`", 1)
        return False
    doubles = sorted({name for name in header if header.count(name) > 1})
    if doubles:
        rows.problem(f"column `{doubles[0]}` stands twice", 1)
    return not doubles


def _add_csv(header: list[str], row: list[str], rows: RowReader, line: int) -> None:
    if not row:
        return
    if len(row) != len(header):
        rows.problem(f"{len(row)} values, the first line names {len(header)} columns", line)
        return
    # An empty cell is a label that the server lacks.
    rows.add({name: value for name, value in zip(header, row, strict=True) if value}, line)


def _read_json(file: BinaryIO, rows: RowReader) -> None:
    data = file.read().removeprefix(BOM_UTF8)
    try:
        document = read_quickly(data, rows.file)
    except orjson.JSONDecodeError as error:
        rows.problem(f"not valid JSON: {error.msg}", error.lineno, error.colno)
        return
    exactly = cache(lambda: _entries(read_texts(data, rows.file), rows))
    index = 0
    rows.read_again = lambda: exactly()[index]
    for index, row in enumerate(_entries(document, rows)):
        rows.add(row, None, f"entry {index + 1}")


def _read_yaml(file: BinaryIO, rows: RowReader) -> None:
    source = read_document(decode(file.read(), rows.file), rows.file)
    prefix = ("servers",) if isinstance(source.data, dict) else ()
    for index, row in enumerate(_entries(source.data, rows)):
        rows.add(row, source.position((*prefix, index))[0], path_text((*prefix, index)))


def _entries(document: Json, rows: RowReader) -> list[Json]:
    entries = document.get("servers") if isinstance(document, dict) else document
    if not isinstance(entries, list):
        rows.problem("expected a list of servers, or a mapping with `servers`", 1)
        return []
    return entries


_READERS: dict[str, Callable[[BinaryIO, RowReader], None]] = {
    ".csv": _read_csv,
    ".json": _read_json,
    ".ndjson": _read_ndjson,
    ".jsonl": _read_ndjson,
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
}
