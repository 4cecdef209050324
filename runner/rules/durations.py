"""How long jobs take, from those seen so far."""

from __future__ import annotations

from bisect import insort
from collections import deque

_SAMPLES = 200


class Durations:
    """How long jobs of one step take, seconds, from those seen so far."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque()
        self._sorted: list[float] = []

    def add(self, duration_s: float) -> None:
        """Learn of one more job."""
        self._recent.append(duration_s)
        insort(self._sorted, duration_s)
        if len(self._recent) > _SAMPLES:
            self._sorted.remove(self._recent.popleft())

    def quantile(self, share: float) -> float | None:
        """The duration that `share` of the jobs stay within; None before any is known."""
        if not self._sorted:
            return None
        return self._sorted[min(len(self._sorted) - 1, int(share * len(self._sorted)))]
