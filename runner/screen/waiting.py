"""Why a run waits, and what comes next; at a gate what a person decides there, and the commands for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.report.outages import failing_lines
from runner.report.standing_text import clock_text, upcoming_text, when_text
from runner.run.person_waits import person_waits
from runner.run.waits import WaitKind
from runner.screen.cells import EMPTY, Line, Tone, Toned, line, wrapped
from runner.screen.words import since_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.run.waits import Wait
    from runner.screen.view import View

LABEL = 8
# A slot of the rate that is nearer than this, seconds, is no wait that anybody sees.
_SEEN_S = 1.0
# Of more rows what comes next has two.
_FEW = 3
_NOT_FOR_ALL = {WaitKind.GROUP}


def labelled(name: str, *rest: str | Toned) -> Line:
    """A line with what it is about in front."""
    return line(Toned(f" {name:<{LABEL - 1}}", Tone.DIM), *rest)


def waiting_lines(view: View, rows: int, width: int) -> list[Line]:
    """As many lines as there are rows, at least two."""
    asked = [wait for wait in person_waits(view.facts) if wait.kind not in _NOT_FOR_ALL]
    lines = list(_gate(view, asked, rows, width)) if asked else list(_waits(view, rows, width))
    return (lines + [EMPTY] * rows)[:rows]


def _waits(view: View, rows: int, width: int) -> Iterator[Line]:
    for_next = 2 if rows > _FEW else 1
    lines = list(_over_rows(view, _said(view), rows - for_next, width))
    yield from lines or [labelled("waits", Toned("for nothing", Tone.DIM))]
    yield from [EMPTY] * (rows - for_next - max(1, len(lines)))
    if view.standing.upcoming is not None:
        text = view.charset.text(upcoming_text(view.standing.upcoming))
        for row, part in enumerate(wrapped(text, width - LABEL, for_next, view.charset.signs.cut)):
            yield labelled("" if row else "next", part)


def _said(view: View) -> list[str]:
    """All that is waited for, in words; lanes may wait for the same."""
    found = view.standing
    waits = [wait for wait in found.waits if wait.kind is not WaitKind.PACE or (wait.until or 0.0) - found.at > _SEEN_S]
    return list(dict.fromkeys([*_ending(view), *failing_lines(view.facts), *(_wait_text(wait) for wait in waits)]))


def _over_rows(view: View, said: list[str], rows: int, width: int) -> Iterator[Line]:
    """Each over as many rows as the others leave to it."""
    left = rows
    for place, one in enumerate(said[:rows]):
        is_last = len(said) > rows and left == 1
        text = f"and {len(said) - place} more" if is_last else view.charset.text(one)
        most = max(1, left - (len(said) - place - 1))
        for row, part in enumerate(wrapped(text, width - LABEL, most, view.charset.signs.cut)):
            yield labelled("" if place or row else "waits", part)
            left -= 1


def _ending(view: View) -> Iterator[str]:
    """Why nothing new is sent any more, and what a run that was asked to stop still waits for."""
    facts = view.facts
    if facts.ended is not None:
        yield f"over: {facts.ending.reason}" if facts.ending is not None else "over"
    elif facts.stop_reason is not None:
        yield f"stopping: {facts.stop_reason}; a second Ctrl-C ends it at once"
        count = sum(lane.in_flight for lane in facts.lanes)
        if count and view.kept.stopped_at is not None:
            until = clock_text(view.kept.stopped_at + facts.plan.submit.timeout_s)
            yield f"{count:,} requests on their way are answered, until {until} at the latest"
    elif facts.aborted is not None:
        yield f"aborted, what is at work is watched to its end: {facts.aborted}"
    elif facts.intake_ended is not None:
        yield f"nothing new is sent, what is at work is watched: {facts.intake_ended}"


def _wait_text(wait: Wait) -> str:
    when = when_text(wait)
    return wait.what + (f" ({when})" if when else "")


def _gate(view: View, asked: list[Wait], rows: int, width: int) -> Iterator[Line]:
    """Whom it waits for, since when, what the check said, what happens on yes, and each command alone on a line."""
    text, wait = view.charset.text, asked[0]
    after = list(_check(view))
    if view.standing.upcoming is not None and not view.facts.over:
        after.append(labelled("on yes", text(_on_yes(view))))
    commands = _commands(view, wait)
    room = max(1, rows - len(commands))
    after = after[max(0, len(after) - room + 1) :] if room > 1 else []
    for row, part in enumerate(
        wrapped(text(_asked_text(view, wait)), width - LABEL, room - len(after), view.charset.signs.cut)
    ):
        yield labelled("" if row else "person", Toned(part, Tone.CARE))
    yield from (*after, *commands)


def _asked_text(view: View, wait: Wait) -> str:
    what = f"{wait.what} for a person to approve" if wait.kind is WaitKind.APPROVAL else wait.what
    since = since_text(wait.since, view.standing.at)
    return what + (f" ({since})" if since else "")


def _check(view: View) -> Iterator[Line]:
    said = view.kept.said
    if said is not None:
        detail = f": {said.detail}" if said.detail else ""
        what = view.charset.text(f"`{said.check}` {'passed' if said.passed else 'failed'}{detail}")
        yield labelled("check", Toned(what, Tone.GOOD if said.passed else Tone.BAD))


def _on_yes(view: View) -> str:
    rollout, upcoming = view.facts.rollout, view.standing.upcoming
    what = ", ".join(upcoming.what) if upcoming is not None else ""
    place = rollout.current + 1 if rollout is not None else 0
    if rollout is None or rollout.wave is None or not what.startswith("wave ") or place >= len(rollout.waves):
        return what
    return f"{what}, {rollout.waves[place].plan.servers:,} servers"


def _commands(view: View, wait: Wait) -> list[Line]:
    """Each from the first column on. Where two are typed one after the other it is said what is another choice."""
    lines: list[Line] = []
    is_sequence = any(len(choice) > 1 for choice in wait.choices)
    for choice in wait.choices:
        if lines and is_sequence:
            lines.append(labelled("or"))
        lines += [line(Toned(view.charset.text(typed.text(view.run_id)), Tone.STRONG)) for typed in choice]
    return lines
