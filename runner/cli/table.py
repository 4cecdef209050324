"""Rows under a header."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.cli.streams import fitting
from runner.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[object]], gap: str = "  ") -> str:
    """Rows under a header, aligned; numbers to the right."""
    cells = [[fitting(one_line(str(cell))) for cell in row] for row in rows]
    numeric = [all(row[i].replace(",", "").isdigit() for row in cells) for i in range(len(header))] if cells else []
    widths = [max(len(row[i]) for row in [list(header), *cells]) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        aligned = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric or [False] * len(header), strict=True)
        ]
        return gap.join(aligned).rstrip()

    return "\n".join(line(row) for row in [header, *cells])
