"""The right column of a wide terminal: the values of the expression that the rollout has a limit for, and the last news."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from runner.report.standing_text import clock_text
from runner.screen.cells import EMPTY, Line, Tone, Toned, fitted, line, padded
from runner.screen.kept import value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runner.rules.budget import Cell
    from runner.screen.view import View

_NAME, _GAP = 8, 2
_FIGURES = 7
_CELL = _NAME + _FIGURES + _GAP


def beside_lines(view: View, rows: int, width: int) -> list[Line]:
    """As many lines as there are rows, each of them within the width."""
    cells = view.facts.rollout.ledger.domains() if view.facts.rollout else ()
    grid = _grid(view, cells, rows // 2, width) if cells else []
    return [fitted(one, width, view.charset.signs.cut) for one in [*grid, *_news(view, rows - len(grid))]]


def _grid(view: View, cells: Sequence[Cell], rows: int, width: int) -> list[Line]:
    """All of them in the plan's order, or those with bad servers in the order in which they had the first."""
    columns = max(1, width // _CELL)
    most = columns * (rows - 2)
    shown: Iterable[Cell] = cells if len(cells) <= most else islice(view.kept.bad_domains, max(0, most))
    expression = view.charset.text(cells[0].limit.scope.partition("=")[0])
    which = "" if len(cells) <= most else f", of {len(cells):,} those with bad servers"
    title = line(Toned(f"{expression}: bad + at work / limit{which}", Tone.STRONG))
    pieces = [_cell(view, cell) for cell in shown]
    lines = [tuple(pieces[place : place + columns]) for place in range(0, len(pieces), columns)]
    return ([title, *lines] + [EMPTY] * rows)[:rows]


def _cell(view: View, cell: Cell) -> Toned:
    name = padded(view.charset.text(value_of(cell)), _NAME, view.charset.signs.cut)
    figures = f"{cell.spent}+{cell.in_flight}/{cell.most}"
    tone = Tone.BAD if cell.spent else Tone.WORK if cell.in_flight else Tone.DIM
    return Toned(f"{name}{figures:>{_FIGURES}}{' ' * _GAP}", tone)


def _news(view: View, rows: int) -> list[Line]:
    """The last one stands last, as in a log."""
    if rows < 1:
        return []
    last = list(islice(reversed(view.kept.news), rows - 1))[::-1]
    lines = [line(Toned(f"{clock_text(at)[:8]} ", Tone.DIM), view.charset.text(said)) for at, said in last]
    return [line(Toned("last events", Tone.STRONG)), *lines, *[EMPTY] * (rows - 1 - len(lines))]
