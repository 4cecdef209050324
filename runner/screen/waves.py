"""The waves of a rollout, a line each; of many those around the one at work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.model import Outcome
from runner.report.standing_text import clock_text
from runner.run.waves import Stage
from runner.screen.cells import EMPTY, Line, Tone, Toned, line, padded, whole
from runner.screen.head import bar
from runner.screen.words import number

if TYPE_CHECKING:
    from runner.run.waves import WaveFacts
    from runner.screen.view import View

_NAME, _BAR = 12, 10
_LEFT_AS_IT_IS = {Stage.REJECTED: "rejected", Stage.ABORTED: "aborted", Stage.CHECKING: "checking"}


def wave_lines(view: View, rows: int, width: int) -> list[Line]:
    """As many lines as there are rows."""
    rollout = view.facts.rollout
    if rollout is None:
        return [EMPTY] * rows
    waves = rollout.waves
    first = max(0, min(rollout.current - rows // 2, len(waves) - rows))
    shown = [_wave(view, first + place, wave, width) for place, wave in enumerate(waves[first : first + rows])]
    return shown + [EMPTY] * (rows - len(shown))


def _wave(view: View, place: int, wave: WaveFacts, width: int) -> Line:
    facts, signs = view.facts, view.charset.signs
    stage = facts.stage_of(wave)
    bad = sum(count for outcome, count in wave.counts.items() if outcome.is_abnormal)
    is_current = facts.rollout is not None and place == facts.rollout.current
    sign, tone = _sign(view, stage, is_current=is_current)
    total = view.standing.servers.total
    name = padded(view.charset.text(wave.plan.name), _NAME, signs.cut)
    start = line(
        " ",
        Toned(sign, tone),
        Toned(f" {name} {number(wave.plan.servers, total)} ", Tone.STRONG if is_current else Tone.PLAIN),
        Toned(f"{number(bad, total)} bad  ", Tone.BAD if bad else Tone.DIM),
    )
    if stage is Stage.RUNNING:
        return whole(width, *start, *_running(view, wave))
    return (*start, *_rest(view, place, wave, stage))


def _sign(view: View, stage: Stage, *, is_current: bool) -> tuple[str, Tone]:
    signs = view.charset.signs
    if stage is Stage.PASSED:
        return signs.done, Tone.GOOD
    if stage in {Stage.REJECTED, Stage.ABORTED}:
        return signs.bad, Tone.BAD
    return (signs.work, Tone.WORK) if is_current else (signs.next, Tone.DIM)


def _rest(view: View, place: int, wave: WaveFacts, stage: Stage) -> tuple[Toned, ...]:
    text = _LEFT_AS_IT_IS.get(stage, "")
    if stage is Stage.PASSED:
        text = _passed(view, place, wave)
    elif stage is Stage.SOAKING:
        text = f"soaks until {clock_text(wave.soak_until)}"
    elif stage is Stage.AWAITING_APPROVAL:
        return (Toned("waits for a person", Tone.CARE),)
    elif stage is Stage.WAITING:
        return (Toned(view.charset.text(_gate(wave)), Tone.DIM),)
    return (Toned(view.charset.text(text)),)


def _running(view: View, wave: WaveFacts) -> tuple[Toned, ...]:
    """One wave is at work at a time, so all that is in flight is of it."""
    total, done = wave.plan.servers, sum(wave.counts.values())
    in_flight = view.facts.rollout.ledger.in_flight if view.facts.rollout else 0
    left = max(0, total - done - in_flight)
    return (
        *bar(view.charset, _BAR, done, in_flight, total),
        Toned(f"  {number(done, total)} done"),
        Toned(f", {number(in_flight, total)} at work"),
        Toned(f", {number(left, total)} to go"),
    )


def _passed(view: View, place: int, wave: WaveFacts) -> str:
    at = clock_text(wave.passed_at) if wave.passed_at is not None else ""
    approved = view.kept.approved.get(place)
    skipped = wave.counts[Outcome.EXCLUDED]
    left_out = f", {skipped:,} excluded" if skipped else ""
    if approved is None:
        return f"passed {at}{left_out}"
    why = f": {approved.why}" if approved.why else ""
    return f"approved {at} by {approved.who}{why}{left_out}"


def _gate(wave: WaveFacts) -> str:
    """What is between the wave and the next one."""
    plan = wave.plan
    soak = [f"soak {plan.soak_s:g}s"] if plan.soak_s else []
    parts = [*soak, *(f"check `{check.name}`" for check in plan.checks), *(["approval"] if plan.approve else [])]
    return f"then {', '.join(parts)}" if parts else ""
