"""What got through of late: when the calls that passed were sent."""

from __future__ import annotations

import math

# As many are kept; a power of two.
_KEPT = 256
# A rate is that of so many calls, or of so long, whichever is more, seconds.
_CALLS, _SPAN_S = 10, 1.0
_SHORTEST_S = 1e-3


class Flow:
    """Times of calls that passed, monotonic seconds. `calls` counts all, `cycle` those since `cycle_at`."""

    __slots__ = ("_times", "calls", "cycle", "cycle_at")

    def __init__(self) -> None:
        self._times = [0.0] * _KEPT
        self.calls = self.cycle = 0
        self.cycle_at = math.inf

    def passed(self, sent_at: float) -> None:
        """One more passed."""
        if not self.calls:
            self.cycle_at = sent_at
        self._times[self.calls & (_KEPT - 1)] = sent_at
        self.calls += 1
        self.cycle += 1

    def begin(self, at: float) -> None:
        """The first cycle begins with the first call that passed, or then."""
        self.cycle_at = min(self.cycle_at, at)

    def mean_of_cycle(self, until: float) -> float:
        """Calls per second that passed in the cycle."""
        return self.cycle / max(until - self.cycle_at, _SHORTEST_S)

    def begin_cycle(self, at: float, passed: int = 1) -> None:
        """Count anew from a call on that passed after none did, or from a time on when one may pass."""
        self.cycle_at, self.cycle = at, passed

    def since(self, at: float) -> int:
        """How many that were sent then or later passed, as far as is known."""
        return sum(sent_at >= at for sent_at in self._latest(_KEPT))

    def rate_until(self, at: float) -> float:
        """Calls per second that passed right before a time; 0: none did."""
        seen, oldest = 0, at
        for sent_at in reversed(self._latest(_KEPT)):
            if sent_at > at:
                continue
            if at - sent_at > _SPAN_S and seen >= _CALLS:
                break
            seen, oldest = seen + 1, sent_at
        return seen / max(at - oldest, _SHORTEST_S)

    def mean_rate(self, calls: int, until: float) -> float:
        """That of the last so many calls, pauses and all."""
        latest = self._latest(calls)
        return len(latest) / max(until - latest[0], _SHORTEST_S) if latest else 0.0

    def of_cycle(self, most: int) -> list[float]:
        """When the last of the cycle were sent, in order; those that are not kept were as far apart as all."""
        known = sorted(self._latest(min(most, _KEPT)))
        missing = min(most, self.cycle) - len(known)
        if missing > 0 and known:
            apart_s = (known[0] - self.cycle_at) / (self.cycle - len(known) + 1)
            known = [known[0] - apart_s * back for back in range(missing, 0, -1)] + known
        return known

    def _latest(self, most: int) -> list[float]:
        count = min(self.calls, most, _KEPT)
        return [self._times[(self.calls - back) & (_KEPT - 1)] for back in range(count, 0, -1)]
