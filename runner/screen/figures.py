"""What is used of the limits, and how fast requests go out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from runner.rules.sequential import Conclusion
from runner.run.waits import WaitKind
from runner.screen.cells import Line, Tone, Toned, whole
from runner.screen.waiting import labelled
from runner.screen.words import number, rate_text, timer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.rules.budget import Cell
    from runner.rules.sequential import Evidence
    from runner.screen.view import View


def limits_line(view: View, width: int) -> Line:
    """The limits of the campaign, what is used of each, and what the test says of the change."""
    rollout = view.facts.rollout
    if rollout is None:
        return labelled("limits", Toned("none: the jobspec has no rollout", Tone.DIM))
    parts = [part for cell in rollout.ledger.for_campaign() for part in _limit(cell)]
    if rollout.evidence is not None:
        parts += _evidence(rollout.evidence)
    return whole(width, *labelled("limits", *(parts or [Toned("none", Tone.DIM)])))


def _limit(cell: Cell) -> Iterator[Toned]:
    used = cell.spent + cell.in_flight
    tone = Tone.BAD if cell.room_for_good <= 0 else Tone.CARE if cell.room <= 0 else Tone.PLAIN
    yield Toned(f"{cell.limit.name.removeprefix('max_')} {number(used, cell.most)}/{cell.most:,}   ", tone)


def _evidence(evidence: Evidence) -> Iterator[Toned]:
    if evidence.conclusion is Conclusion.BAD:
        yield Toned("test: the change is bad", Tone.BAD)
    elif evidence.conclusion is Conclusion.HEALTHY:
        yield Toned("test: healthy so far", Tone.GOOD)
    else:
        share = max(0.0, evidence.log_alarm) / evidence.alarm_boundary
        yield Toned(f"test: {100 * share:2.0f} % of a proof of harm", Tone.CARE if share > 1 / 2 else Tone.PLAIN)


def sent_line(view: View, width: int) -> Line:
    """Requests: how many are taken, on their way, in doubt, refused."""
    facts = view.facts
    total, most = len(facts.phases), facts.concurrency * len(facts.lanes)
    doubts, refused = sum(len(lane.doubts) for lane in facts.lanes), facts.refused
    return whole(
        width,
        *labelled("sent", f"{number(facts.accepted, total)} of {total:,} requests taken"),
        f"  {number(sum(lane.in_flight for lane in facts.lanes), most)} on their way",
        Toned(f"  {doubts:>3,} in doubt", Tone.CARE if doubts else Tone.PLAIN),
        Toned(f"  {refused:>3,} refused", Tone.BAD if refused else Tone.PLAIN),
    )


def pace_line(view: View, width: int) -> Line:
    """Requests a second of those that may be, whether the service throttles, and how old the oldest job is."""
    facts, now = view.facts, view.standing.at
    most = facts.rate * len(facts.lanes)
    allowed = "" if math.isinf(most) else f" of {rate_text(most)}"
    throttled = any(wait.kind is WaitKind.THROTTLED for wait in view.standing.waits)
    return whole(
        width,
        *labelled("pace", f"{view.kept.pace(now):>5.1f}/s{allowed}, "),
        Toned("throttled", Tone.CARE) if throttled else Toned("not throttled"),
        *_oldest(view),
    )


def _oldest(view: View) -> Iterator[Toned]:
    """Jobs are in the order in which they were taken."""
    facts = view.facts
    firsts = [next(iter(lane.open.items())) for lane in facts.lanes if lane.open]
    if not firsts:
        return
    request, job = min(firsts, key=lambda item: item[1].accepted_at)
    usual = facts.durations[facts.requests.entries[request].step].quantile(0.5)
    yield Toned(f"; oldest job {timer(view.standing.at - job.accepted_at)}")
    if usual is not None:
        yield Toned(f" (usual {timer(usual)})")
