"""A service that says when to come back says that a limit was in the way. It may say so by chance, too."""

from __future__ import annotations

# Each time the rate is lowered by so much, so often in a row; then it was chance, for so many calls.
_LOWERED, _TIMES, _CHANCE_FOR = 0.92, 8, 300
# As many times the calls pass between two, and the rate is as good as right.
_RARER = 3


class TimesTold:
    """Refusals with a Retry-After at a rate that was good. `calls` counts those that passed, in all."""

    __slots__ = ("_at", "_chance_until", "_first_gap", "_level", "_times")

    def __init__(self) -> None:
        self._at = self._chance_until = self._first_gap = self._times = 0
        self._level = 0.0

    def is_chance(self, calls: int) -> bool:
        """Whether it is known to be by chance."""
        return calls < self._chance_until

    def lowered(self, level: float, mean_rate: float, calls: int) -> float:
        """The rate to go on at; `mean_rate` is what passed of late, pauses and all."""
        gap, self._at = calls - self._at, calls
        if self._times == 0 or gap > _RARER * self._first_gap:
            self._times, self._first_gap, self._level = 0, gap, level
        self._times += 1
        if self._times > _TIMES:
            self._times, self._chance_until = 0, calls + _CHANCE_FOR
            return self._level
        if mean_rate < level * (1 - _LOWERED) * 4:  # nearly all of the time is paused for: not even near it
            self._times = 0
            return 0.97 * mean_rate
        return max(level * _LOWERED, min(level, 0.97 * mean_rate))
