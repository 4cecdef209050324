"""How long jobs take, from those seen so far."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from math import sqrt

_SAMPLES = 200
# A time that is told and lies at least so long before the job was seen to be over is when it ended, seconds.
_BEFORE_S = 0.5
# How much earlier than it was seen a job may have ended that was never seen at work, as a share of its age.
_EARLIER = 0.05
# How far a single job's duration may be from what is usual, as a share of it; of several, by the root of how many.
_DOUBTED = 0.15


def likely_duration(told_s: float | None, at_work_s: float, over_s: float) -> float:
    """How long a job took, seconds, that was last seen at work at the age `at_work_s` and is over at the age `over_s`.

    `told_s` is what the service says. It may tell the time of reading (api-facts 1.2), and who believed that would read the
    next job later, see it over later, and so on: then it ended between both ages.
    """
    if told_s is not None and told_s < over_s - _BEFORE_S:
        return told_s
    return max((at_work_s + over_s) / 2, (1 - _EARLIER) * over_s)


class Durations:
    """How long jobs of one step take, seconds, from those seen so far."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque()
        self._sorted: list[float] = []

    def __len__(self) -> int:
        return len(self._sorted)

    def add(self, duration_s: float) -> None:
        """Learn of one more job."""
        self._recent.append(duration_s)
        insort(self._sorted, duration_s)
        if len(self._recent) > _SAMPLES:
            del self._sorted[bisect_left(self._sorted, self._recent.popleft())]

    def quantile(self, share: float) -> float | None:
        """The duration that `share` of the jobs stay within; None before any is known."""
        if not self._sorted:
            return None
        return self._sorted[min(len(self._sorted) - 1, int(share * len(self._sorted)))]

    def between(self, low: float, high: float) -> float:
        """How far these shares are apart, seconds: not less than what so few jobs leave open."""
        if not self._sorted:
            return 0.0
        apart = (self.quantile(high) or 0.0) - (self.quantile(low) or 0.0)
        return max(apart, _DOUBTED * (self.quantile(0.5) or 0.0) / sqrt(len(self._sorted)))
