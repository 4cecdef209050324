"""The picture of a run: as many lines as the terminal has rows, none of them wider than it is.

What stands where depends on the size and on the plan alone: nothing moves when a number grows.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from runner.screen.bad import bad_lines, failed_lines
from runner.screen.beside import beside_lines
from runner.screen.cells import EMPTY, Line, fitted, side_by_side
from runner.screen.figures import limits_line, pace_line, sent_line
from runner.screen.head import head_lines
from runner.screen.waiting import waiting_lines
from runner.screen.waves import wave_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.screen.view import View

_WIDE, _MAIN, _LARGEST_MAIN = 120, 80, 110
_FEWEST_BAD = 3
# Of the rows that are left over, these parts get up to so many.
_WAVES, _MOST_WAVES = 5, 14
_WAITS, _MOST_WAITS = 5, 9


class Subject(StrEnum):
    """What is shown between the head and the foot."""

    RUN = "run"
    FAILED = "failed"
    HELP = "help"


class Foot(NamedTuple):
    """The last lines: what was said to the person last, or is asked; the keys."""

    lines: Sequence[Line]
    help: Sequence[Line] = ()
    subject: Subject = Subject.RUN


class _Rows(NamedTuple):
    waves: int
    waits: int
    bad: int


def picture(view: View, foot: Foot) -> list[Line]:
    """Exactly as many lines as the view is high."""
    head = head_lines(view)
    rows = view.height - len(head) - len(foot.lines)
    body = _body(view, foot, rows) if rows > 0 else []
    # Of a terminal that is too low for them the foot is what a person types in.
    lines = [*head, *body, *foot.lines]
    lines = lines if rows >= 0 else lines[-view.height :]
    end = view.charset.signs.cut
    return [fitted(one, view.width, end) for one in lines]


def _body(view: View, foot: Foot, rows: int) -> list[Line]:
    if foot.subject is Subject.HELP:
        return ([EMPTY, *foot.help] + [EMPTY] * rows)[:rows]
    if foot.subject is Subject.FAILED:
        return [EMPTY, *failed_lines(view, rows - 1)][:rows]
    if view.width < _WIDE:
        return _main(view, rows, view.width)
    width = max(_MAIN, min(_LARGEST_MAIN, view.width * 11 // 20))
    end = view.charset.signs.cut
    left = [fitted(one, width - 2, end) for one in _main(view, rows, width - 2)]
    return side_by_side(left, beside_lines(view, rows, view.width - width), width)


def _main(view: View, rows: int, width: int) -> list[Line]:
    shares = _shares(view, rows)
    lines = [EMPTY, *wave_lines(view, shares.waves, width)]
    lines += [EMPTY] if shares.waves else []
    lines += waiting_lines(view, shares.waits, width)
    lines += [limits_line(view, width), sent_line(view, width), pace_line(view, width), EMPTY]
    lines += bad_lines(view, shares.bad, width)
    return (lines + [EMPTY] * rows)[:rows]


def _shares(view: View, rows: int) -> _Rows:
    """How many rows each part gets: by the plan and the terminal, whatever happens."""
    waves = len(view.facts.rollout.waves) if view.facts.rollout else 0
    fixed = 5 + bool(waves)
    left = max(0, rows - fixed - _FEWEST_BAD - _WAITS - min(waves, _WAVES))
    more_waves = min(left // 2, max(0, min(waves, _MOST_WAVES) - _WAVES))
    more_waits = min((left - more_waves) // 2, _MOST_WAITS - _WAITS)
    of_waves, of_waits = min(waves, _WAVES) + more_waves, _WAITS + more_waits
    return _Rows(of_waves, of_waits, max(1, rows - fixed - of_waves - of_waits))
