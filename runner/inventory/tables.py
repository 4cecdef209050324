"""Servers in CSV and TSV, as people and spreadsheets write it.

The separator is found from the first line. Blanks around values do not count, no-break ones neither; a cell that is
empty, or missing at the end of its row, is a label that the server lacks; rows without any value are none.
"""

from __future__ import annotations

import csv
from io import TextIOWrapper
from itertools import chain, islice
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from runner.inventory.rows import AT_ONCE, id_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runner.inventory.rows import RowReader
    from runner.model import Json

_SEPARATORS = (",", ";", "\t", "|")
_CALLED = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "`|`"}
# Blanks as web pages and word processors have them; marks that nobody sees.
_BLANKS = str.maketrans({"\xa0": " ", "\u202f": " ", "\u3000": " ", "\u200b": "", "\ufeff": ""})
# But for the ends of lines.
_ASCII_BLANKS = " \t\x0b\x0c\x1c\x1d\x1e\x1f"
# Columns that hold no label as it is: one without a name, and one that would be a mapping.
_MEANS_MORE = frozenset({"", "labels"})
_NOTHING = " \t\r\n,;|"
_DECLARED = "sep="
_SHOWN = 6
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class _Header(NamedTuple):
    """The first line: names of columns, what separates them, and the lines before those of servers."""

    names: list[str]
    separator: str
    lines: int


def read_table(file: BinaryIO, rows: RowReader) -> None:
    """Add the servers of a table to `rows`, or what is wrong with it."""
    text = TextIOWrapper(file, "utf-8-sig", newline="")
    try:
        header = _header(_plain(text))
        if _is_fine(header, rows):
            _add_servers(header, text, rows)
    except csv.Error as error:
        rows.problem(f"not valid CSV: {error}", 1)
    except UnicodeDecodeError:
        text.detach()
        text = TextIOWrapper(file, "utf-8-sig")
        _not_utf8(file, rows)
    finally:
        text.detach()


def _add_servers(header: _Header, text: Iterator[str], rows: RowReader) -> None:
    """All rows, many at once as long as each is a line of its own."""
    before = header.lines
    while lines := list(islice(text, AT_ONCE)):
        together = "".join(lines)
        lines = lines if together.isascii() else list(_plain(lines))
        values = _each_on_its_line(lines, header.separator)
        if values is None:
            _add_each(header, chain(lines, _plain(text)), rows, before)
            return
        if not _add_columns(header, values, together, rows, before + 1):
            for line, row in enumerate(values, before + 1):
                _add(header, row, rows, line)
        before += len(lines)


def _each_on_its_line(lines: Sequence[str], separator: str) -> list[list[str]] | None:
    """The values of each line; None where quotes span several, or are wrong."""
    try:
        values = list(csv.reader(lines, delimiter=separator, strict=True))
    except csv.Error:
        return None
    return values if len(values) == len(lines) else None


def _add_columns(header: _Header, values: Sequence[list[str]], text: str, rows: RowReader, first: int) -> bool:
    """Add rows that have just the columns of the header; False, with none added, where some have not."""
    names = header.names
    if set(map(len, values)) != {len(names)} or not _MEANS_MORE.isdisjoint(names):
        return False
    columns: dict[str, Sequence[Json]] = dict(zip(names, zip(*values, strict=True), strict=True))
    if not text.isascii() or any(blank in text for blank in _ASCII_BLANKS):
        columns = {name: list(map(str.strip, column)) for name, column in columns.items()}
    return rows.add_columns(columns, range(first, first + len(values)), _text_alone)


def _text_alone(at: int) -> int:
    raise TypeError(f"row {at} of a table is not text alone")


def _add_each(header: _Header, lines: Iterable[str], rows: RowReader, before: int) -> None:
    reader = csv.reader(lines, delimiter=header.separator, strict=True)
    line = before
    try:
        for row in reader:
            line = before + reader.line_num
            _add(header, row, rows, line)
    except csv.Error as error:
        rows.problem(f"not valid CSV: {error}", line + 1)


def separator_of(line: str) -> str | None:
    """What separates the columns of a first line that has one called `id`; None if it has none."""
    for names, separator in _readings(line):
        if "id" in names:
            return separator
    return None


def _plain(text: Iterable[str]) -> Iterator[str]:
    return (line if line.isascii() else line.translate(_BLANKS) for line in text)


def _readings(line: str) -> list[tuple[list[str], str]]:
    """The names of columns by each separator; those with the most come first."""
    found = [
        ([name.strip() for name in next(csv.reader([line], delimiter=separator), [])], separator)
        for separator in _SEPARATORS
    ]
    return sorted(found, key=lambda reading: -len(reading[0]))


def _header(lines: Iterator[str]) -> _Header:
    first, count, declared = "", 0, ""
    for line in lines:
        first, count = line, count + 1
        if line.lower().startswith(_DECLARED):  # as spreadsheets say it
            declared = line[len(_DECLARED) :].strip("\r\n")[:1]
        elif line.strip(_NOTHING):
            break
    separator = declared or separator_of(first) or _readings(first)[0][1]
    # A quoted name may go on in the next line.
    reader = csv.reader(chain([first], lines), delimiter=separator)
    names = [name.strip() for name in next(reader, [])]
    while names and not names[-1]:
        names.pop()
    return _Header(names, separator, count + reader.line_num - 1)


def _is_fine(header: _Header, rows: RowReader) -> bool:
    names = header.names
    line = header.lines or 1
    if "id" not in names:
        message = "the first line must name the columns, one of them `id`"
        if names:
            shown = ", ".join(f"`{name}`" for name in names[:_SHOWN]) + ", ..." * (len(names) > _SHOWN)
            message += f"; it names {shown}, separated by {_CALLED.get(header.separator, header.separator)}"
        meant = id_column(names)
        rows.problem(f"{message}; if `{meant}` is it, call it `id`" if meant else message, line)
        return False
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        what = f"column `{doubles[0]}` stands twice" if doubles[0] else "several columns have no name"
        rows.problem(what, line)
    return not doubles


def _add(header: _Header, row: list[str], rows: RowReader, line: int) -> None:
    names = header.names
    values = list(map(str.strip, row))
    if len(values) > len(names) and any(values[len(names) :]):
        separated = _CALLED.get(header.separator, header.separator)
        message = f"{len(values)} values, the first line names {len(names)} columns; both are separated by {separated}"
        rows.problem(message, line)
        return
    named = {name: value for name, value in zip(names, values, strict=False) if value}
    if "" in named:
        rows.problem(f"the value {named['']!r} is in a column without a name", line)
    elif named:
        rows.add(named, line)


def _not_utf8(file: BinaryIO, rows: RowReader) -> None:
    file.seek(0)
    data = file.read()
    if data.startswith(_UTF_16):
        rows.problem("UTF-16, not UTF-8; save the file as UTF-8 (in Excel: CSV UTF-8)", 1)
        return
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        rows.problem("not UTF-8; save the file as UTF-8 (in Excel: CSV UTF-8)", line)
