"""The first two lines: which run, where it is, what it does, how long it still takes; how many servers are over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.model import Outcome
from runner.report.standing_text import left_text
from runner.run.standing import RunPhase
from runner.screen.cells import Line, Tone, Toned, line_width, whole
from runner.screen.words import number, timer

if TYPE_CHECKING:
    from runner.screen.charset import Charset
    from runner.screen.view import View

_BAR = 26
_LONGEST_NAME = 40
_TONES = {RunPhase.AT_WORK: Tone.WORK, RunPhase.WAITING: Tone.CARE, RunPhase.STOPPING: Tone.CARE}


def head_lines(view: View) -> list[Line]:
    """Both lines."""
    return [_first(view), _servers(view)]


def _first(view: View) -> Line:
    facts, found = view.facts, view.standing
    phase = facts.ended.value if facts.ended is not None else found.phase.value
    name = view.charset.text(facts.plan.campaign, _LONGEST_NAME)
    parts = [Toned(name, Tone.STRONG), Toned(f"   {_place(view)}")]
    parts.append(Toned(f"{phase.upper():<8}", _TONES.get(found.phase, Tone.STRONG)))
    parts.append(Toned(f"   {timer(_lasted(view))}"))
    if found.left is not None:
        parts.append(Toned(f"   {left_text(found.left)}"))
    if facts.simulated:
        parts.append(Toned("   rehearsal", Tone.DIM))
    return whole(view.width, *parts)


def _lasted(view: View) -> float:
    """For how long it goes on, or went on, seconds."""
    started = view.facts.started_at
    return 0.0 if started is None else (view.facts.ending.at if view.facts.ending else view.standing.at) - started


def _place(view: View) -> str:
    rollout = view.facts.rollout
    if rollout is None:
        return ""
    if rollout.wave is None:
        return f"all {len(rollout.waves)} waves passed   "
    name = view.charset.text(rollout.wave.plan.name, _LONGEST_NAME)
    return f"wave {rollout.current + 1} of {len(rollout.waves)} {name}   "


def _servers(view: View) -> Line:
    servers, counts = view.standing.servers, view.facts.counts
    total = servers.total
    bad = sum(counts[outcome] for outcome in Outcome if outcome.is_abnormal)
    parts = [
        Toned(f"  {number(servers.over, total)} of {total:,} done"),
        Toned(f"  {number(servers.at_work, total)} at work"),
        Toned(f"  {number(bad, total)} bad", Tone.BAD if bad else Tone.PLAIN),
    ]
    room = view.width - line_width(tuple(parts))
    rest = [outcome for outcome in (Outcome.SKIPPED, Outcome.EXCLUDED) if counts[outcome]]
    return whole(
        view.width,
        *bar(view.charset, max(4, min(_BAR, room)), servers.over, servers.at_work + servers.unanswered, total),
        *parts,
        *(Toned(f"  {counts[outcome]:,} {outcome.value}", Tone.CARE) for outcome in rest),
    )


def bar(charset: Charset, width: int, over: int, at_work: int, total: int) -> tuple[Toned, Toned, Toned]:
    """How many are over and at work of all, as a bar. What there is is never shown as nothing, nor what is left."""
    signs = charset.signs
    full = over * width // max(1, total)
    half = min(width - full, -(-at_work * width // max(1, total)))
    rest = width - full - half
    return (
        Toned(signs.full * full, Tone.GOOD),
        Toned(signs.half * half, Tone.WORK),
        Toned(signs.empty * rest, Tone.DIM),
    )
