"""Trying whether more gets through than is known: how fast, how often, and when to look where nothing does.

Slowly at first and then ever faster, like CUBIC past its plateau (RFC 9438, section 4); as often as a share of the calls
that pass pays for the refusals that it costs.
"""

from __future__ import annotations

import math

# What may be spent: refusals per call that passed; where the limit is named there is less to find out.
_EARNS, _EARNS_NAMED = 0.012, 0.008
_DEAREST = 15.0
_NEWEST = 0.4
# Growth, e-folds per second: at the start, more of it each second, at most; a call counts as so many seconds at most, so
# that a slow lane grows by calls.
_STARTS, _STARTS_FAST, _FASTER, _FASTEST, _CALL_S = 0.02, 0.15, 0.03, 0.5, 0.1
# When nothing gets through: looks after so long, and at the end of usual periods, then once a minute, seconds.
_LOOKS_S = (1.05, 2.5, 6.0, 15.0, 30.0, 45.0, 61.0)
_PERIODS_S = (1.03, 60.5)
_APART_S, _LONGEST_APART_S = 0.3, 60.0


class Budget:
    """What trying may cost. A try is paid for by calls that passed: on the average it costs `cost` refusals."""

    __slots__ = ("_cost", "_credit", "_spent")

    def __init__(self) -> None:
        self._credit, self._cost, self._spent = 0.0, 1.0, 0.0

    @property
    def is_enough(self) -> bool:
        """Whether there is enough for a try."""
        return self._credit >= self._cost

    def earn(self, *, is_named: bool) -> None:
        """A call passed at the rate that is known."""
        self._credit += _EARNS_NAMED if is_named else _EARNS

    def grant(self) -> None:
        """One try is free: the rate was lowered in haste."""
        self._credit = max(self._credit, self._cost)

    def spend(self, refusals: float) -> None:
        """A try costs so much; less than nothing: that much was by chance."""
        self._spent = max(0.0, self._spent + refusals)

    def begin(self) -> None:
        """A try begins."""
        self._spent = 0.0

    def end(self, *, is_free: bool) -> None:
        """It is over. One that is free was needed to find a rate at all: it is paid for by nothing."""
        if is_free:
            self._credit = 0.0
            return
        self._cost = max(1.0, (1 - _NEWEST) * self._cost + _NEWEST * min(self._spent, _DEAREST))
        self._credit = max(min(self._credit, self._cost) - self._spent, -_DEAREST)

    def owe(self, refusals: int) -> None:
        """So many more were refused, which it could not help any more."""
        self._credit -= refusals

    def forget(self) -> None:
        """Nothing is in the way any more."""
        self._credit = 0.0


class Growth:
    """How the rate grows while it is tried for more: `factor` is by how much, after so many `calls`."""

    __slots__ = ("_s", "_starts", "calls", "factor")

    def __init__(self, *, is_fast: bool) -> None:
        self.factor, self.calls = 1.0, 0
        self._s = 0.0
        self._starts = _STARTS_FAST if is_fast else _STARTS

    def passed(self, apart_s: float, *, holds: bool) -> None:
        """A call passed, so long after the one before; it `holds` where nothing follows from that yet."""
        by_s = min(apart_s, _CALL_S)
        self.calls += 1
        self._s += by_s
        if not holds:
            self.factor *= math.exp(by_s * min(_FASTEST, self._starts + _FASTER * self._s))


def next_look(shut_at: float, cycle_at: float, rate: float, now: float) -> float:
    """When to make the next single call while nothing gets through since `shut_at`, monotonic seconds.

    What is counted by a window of the usual periods gets through again when the first of `cycle_at` leave it.
    """
    looks = [*(shut_at + after_s for after_s in _LOOKS_S), *(cycle_at + period_s for period_s in _PERIODS_S)]
    apart_s = min(max(_APART_S, 1 / rate), _LONGEST_APART_S)
    return min((at for at in looks if at > now + apart_s), default=now + _LONGEST_APART_S)
