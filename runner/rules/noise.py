"""Whether refused calls are chance, or the sign of a limit: sequential tests over answers in their order.

A limit refuses calls that stand together, chance refuses them one by one. E. S. Page, Continuous inspection schemes,
Biometrika 41 (1954); A. Wald, Sequential tests of statistical hypotheses, Ann. Math. Stat. 16 (1945).
"""

from __future__ import annotations

import math

# Where a limit is in the way, about so many of the calls are refused.
_LIMITED = 0.5
# How sure to be that it is one, as the logarithm of odds: at a rate that was good, and above all that was good so far.
_SURE, _SUSPECTED = 7.0, 3.5
# Chance is taken to refuse at least so many, and at most; at a rate that was good, until it is known, so many.
_LEAST, MOST, _SUPPOSED = 0.004, 0.08, 0.03
# So many refused calls slow nothing down, whether it was chance or not.
_TOLERATED = 0.01
_DEVIATIONS = 3.0


class Noise:
    """The answers since the last change. `share` of all calls is what chance refuses, as far as is known.

    `calls` were counted at one rate, of which `by_chance` were refused one by one. Together refused are now `suspects`, the
    first of which was sent at `since`.
    """

    __slots__ = ("_odds", "by_chance", "calls", "share", "since", "suspects")

    def __init__(self) -> None:
        self.share = _LEAST
        self.since = self._odds = 0.0
        self.suspects = self.calls = self.by_chance = 0

    @property
    def ratio(self) -> float:
        """Of the calls at this rate, the share that was refused one by one."""
        return self.by_chance / max(1, self.calls)

    @property
    def is_more_than_chance(self) -> bool:
        """Whether more calls are refused one by one than chance does, and than is tolerated."""
        expected = self.calls * max(self.share, _TOLERATED)
        return self.by_chance >= 3 and self.by_chance > expected + _DEVIATIONS * math.sqrt(expected)  # noqa: PLR2004

    def passed(self, *, counts: bool) -> int:
        """A call passed; return how many suspects are cleared by that: they were refused by chance."""
        self.calls += counts
        if not self.suspects:
            return 0
        self._odds += math.log(_LIMITED / (1 - self.share))
        if self._odds > 0:
            return 0
        cleared = self.suspects
        if counts:
            self.by_chance += cleared
            self.calls += cleared
        self.forget()
        return cleared

    def refused(self, sent_at: float, *, is_new: bool) -> bool:
        """A call was refused, at a rate that `is_new` or was good before. Whether it was a limit, as good as certainly."""
        if not self.suspects:
            self.since = sent_at
        self.suspects += 1
        self._odds += math.log(_LIMITED / (self.share if is_new else max(_SUPPOSED, self.share)))
        return self._odds >= (_SUSPECTED if is_new else _SURE)

    def forget(self) -> None:
        """The suspects are dealt with."""
        self._odds, self.suspects = 0.0, 0

    def count_anew(self) -> None:
        """The rate changes."""
        self.calls = self.by_chance = 0

    def learn(self, share: float) -> None:
        """So many are refused by chance."""
        self.share = min(MOST, max(_LEAST, share))


class Experiment:
    """Calls at a lower rate, after some were refused one by one: were it a limit, that ends; were it chance, it goes on.

    Wald's test of the share refused: as before, or a fifth of that.
    """

    __slots__ = ("_calls", "_odds", "_refused", "level", "mean_rate")

    _FIFTH, _CHANCE, _LIMIT = 0.2, 3.0, -3.5

    def __init__(self, level: float, mean_rate: float, noise: Noise) -> None:
        self.level = level
        self.mean_rate = mean_rate
        self._calls, self._refused = noise.calls, noise.by_chance
        self._odds = 0.0

    @property
    def ratio(self) -> float:
        """The share refused, before and since."""
        return self._refused / self._calls

    def is_chance(self, refused: int) -> bool | None:
        """One more passed, and so many were refused before; None: not known yet."""
        ratio = self.ratio
        self._odds += math.log((1 - ratio) / (1 - self._FIFTH * ratio)) - refused * math.log(self._FIFTH)
        self._calls += 1 + refused
        self._refused += refused
        if self._LIMIT < self._odds < self._CHANCE:
            return None
        return self._odds > 0
