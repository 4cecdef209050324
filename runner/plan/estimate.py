"""How long submitting takes, at the rates of the plan."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.plan.plan import Plan

_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def submission_s(plan: Plan) -> float:
    """Seconds until the last create is let out, if nothing else holds it up: lanes go side by side."""
    per_lane = Counter(plan.groups[request.group].lane for request in plan.requests)
    most = max(per_lane.values(), default=0)
    return max(0.0, (most - plan.submit.burst) / plan.submit.rate)


def least_duration_s(plan: Plan) -> float:
    """Seconds that carrying it out takes at least: letting the creates out, and the soaks of its waves."""
    return submission_s(plan) + sum(wave.soak_s for wave in (plan.rollout.waves if plan.rollout else ()))


def estimate_text(plan: Plan) -> str:
    """The estimate for a person."""
    if math.isinf(plan.submit.rate):
        return f"no rate limit, {plan.submit.concurrency} at once"
    pace = f"at {plan.submit.rate:g}/s, {plan.submit.concurrency} at once"
    return f"takes {duration_text(submission_s(plan))} at least, {pace}"


def duration_text(seconds: float) -> str:
    """A duration for a person, in its two largest units."""
    left = math.ceil(seconds)
    parts = []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"
