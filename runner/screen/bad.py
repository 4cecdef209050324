"""What went wrong: kinds of trouble with where they are, and the servers that ended badly last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.report.standing_text import clock_text
from runner.screen.cells import EMPTY, Line, Tone, Toned, line, padded, width_of
from runner.screen.waiting import LABEL, labelled
from runner.screen.words import number

if TYPE_CHECKING:
    from runner.screen.troubles import Trouble
    from runner.screen.view import View

_NAME, _DOMAIN, _OUTCOME = 24, 10, 9


def bad_lines(view: View, rows: int, width: int) -> list[Line]:
    """As many lines as there are rows: the most frequent kinds, the first ones first."""
    found = view.kept.troubles.most(rows)
    lines = [_trouble(view, "" if place else "bad", one, width) for place, one in enumerate(found)]
    lines = lines or [labelled("bad", Toned("nothing", Tone.DIM))]
    return (lines + [EMPTY] * rows)[:rows]


def _trouble(view: View, label: str, trouble: Trouble, width: int) -> Line:
    """Where it is stands at the right, whatever was said."""
    total = view.standing.servers.total
    where = view.charset.text(_where(trouble))
    count = f"{number(trouble.count, total)} {trouble.outcome.replace('_', ' ')}: "
    room = width - LABEL - width_of(count) - width_of(where) - 2
    said = padded(view.charset.text(trouble.said), max(8, room), view.charset.signs.cut)
    return labelled(label, Toned(count, Tone.BAD), f"{said}  ", Toned(where, Tone.DIM))


def _where(trouble: Trouble) -> str:
    named = [f"{place} {count:,}" for place, count in trouble.most[:2]]
    more = trouble.places - len(named)
    return ", ".join([*named, *([f"{more:,} more"] if more > 0 else [])])


def failed_lines(view: View, rows: int) -> list[Line]:
    """The servers that ended badly last, the newest first, and where all of them are listed."""
    text = view.charset.text
    title = line(Toned(" servers that ended badly, the newest first", Tone.STRONG))
    lines = [
        line(
            f" {clock_text(one.at)[:8]} ",
            Toned(f"{padded(one.outcome.replace('_', ' '), _OUTCOME)} ", Tone.BAD),
            f"{padded(text(one.name), _NAME, view.charset.signs.cut)} ",
            Toned(f"{padded(text(one.domain), _DOMAIN, view.charset.signs.cut)} ", Tone.DIM),
            text(one.said),
        )
        for one, _ in zip(reversed(view.kept.failed), range(max(0, rows - 2)), strict=False)
    ]
    lines = lines or [line(Toned(" none so far", Tone.DIM))]
    last = line(Toned(f" all of them: runner report {view.run_id} -o -", Tone.DIM))
    return [title, *lines, *[EMPTY] * (rows - 2 - len(lines)), last][:rows]
