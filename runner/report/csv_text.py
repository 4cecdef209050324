"""Tables as CSV, whose cells do nothing where they are opened: a spreadsheet takes some texts for formulas."""

from __future__ import annotations

import csv
import io
from itertools import chain
from typing import TYPE_CHECKING

from runner.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# What a formula begins with (OWASP, "CSV Injection"), on Asian keyboards, too; some programs leave blanks before it out.
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """A table line by line (RFC 4180, but for the line ends, which are the terminal's); None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="")
    for row in chain([header], rows):
        writer.writerow([harmless(cell) for cell in row])
        yield text.getvalue()
        text.seek(0)
        text.truncate()


def harmless(cell: object) -> object:
    """A cell that nothing takes for a formula: text that begins like one gets an apostrophe before it."""
    if not isinstance(cell, str):
        return "" if cell is None else cell
    line = one_line(cell)
    return f"'{line}" if line.lstrip().startswith(_FORMULA) else line
