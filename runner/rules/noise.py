"""Whether refused calls are chance, or the sign of a limit: sequential tests over the answers in their order."""

from __future__ import annotations

import math

_CLUSTER = 0.5
_SEVERE = 7.0
_SUSPECT = 3.5
_LEAST, _MOST = 0.004, 0.07
_SUPPOSED = 0.03
_ALLOWED = 0.01


class Noise:
    """Page's test (CUSUM): half of the calls refused, against the share that chance has refused so far."""

    def __init__(self) -> None:
        self.share = _LEAST
        self._score = 0.0
        self.since = 0.0
        self.refused_in = 0
        self.calls = self.by_chance = 0

    @property
    def ratio(self) -> float:
        return self.by_chance / max(1, self.calls)

    @property
    def is_more(self) -> bool:
        expected = self.calls * max(self.share, _ALLOWED)
        return self.by_chance >= 3 and self.by_chance > expected + 3 * math.sqrt(expected)

    def passed(self, *, counts: bool) -> int:
        """how many refusals were found to be by chance"""
        self.calls += counts
        if not self._score:
            return 0
        self._score += math.log(_CLUSTER / (1 - self.share))
        if self._score > 0:
            return 0
        found = self.refused_in
        if counts:
            self.by_chance += found
            self.calls += found
        self.forget()
        return found

    def refused(self, sent_at: float, *, suspected: bool) -> bool:
        if not self._score:
            self.since = sent_at
        self.refused_in += 1
        self._score += math.log(_CLUSTER / (self.share if suspected else max(_SUPPOSED, self.share)))
        return self._score >= (_SUSPECT if suspected else _SEVERE)

    def forget(self) -> None:
        self._score = 0.0
        self.refused_in = 0

    def new_epoch(self) -> None:
        self.calls = self.by_chance = 0

    def learned(self, ratio: float) -> None:
        self.share = min(_MOST, max(_LEAST, ratio))
