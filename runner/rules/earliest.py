"""When each wave of a plan can begin at the earliest."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from runner.rules.windows import next_opening
from runner.spec.rollout.windows import window_of

if TYPE_CHECKING:
    from runner.plan.plan import Plan


def earliest_starts(plan: Plan, at: float) -> list[float]:
    """For each wave, epoch seconds, if the run begins at `at`; infinite for one that no window lets begin.

    Jobs last as long as they are taken to, soaks are kept, creates go out at the plan's rate; persons answer at once, and
    checks take no time.
    """
    rollout = plan.rollout
    if rollout is None:
        return []
    job_s = sum(rollout.expected_s[: rollout.main_steps])
    sending_s = _sending_s(plan, len(rollout.waves))
    window = window_of(rollout.window) if rollout.window else None
    starts: list[float] = []
    for wave, takes_s in zip(rollout.waves, sending_s, strict=True):
        if window is not None and math.isfinite(at):
            opening = next_opening(window, at, rollout.expected_s[0])
            at = opening.start if opening else math.inf
        starts.append(at)
        at += takes_s + job_s + wave.soak_s
    return starts


def _sending_s(plan: Plan, waves: int) -> list[float]:
    """Seconds that the creates of each wave take at the plan's rate, on the lane that has most of them."""
    counts = [[0] * len(plan.lanes) for _ in range(waves)]
    for request in plan.requests:
        counts[request.wave][plan.groups[request.group].lane] += request.step < plan.main_steps
    return [max(0.0, (max(of_wave) - plan.submit.burst) / plan.submit.rate) for of_wave in counts]
