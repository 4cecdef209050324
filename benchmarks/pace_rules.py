"""Rules for a rate under limits that nobody told of: the one that the runner had, that of botocore, and the runner's own.

Each is driven by `pace`, in virtual time. Times are seconds; rates are calls a second.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from runner.rules.answers import Throttle
from runner.rules.learning import Learner


class Rule(Protocol):
    """What sets the pace of one client."""

    def ready_at(self, now: float) -> float:
        """When the next call may leave; not after `now`: at once."""
        ...

    def sent(self, now: float) -> None:
        """A call left."""
        ...

    def passed(self, sent_at: float, now: float) -> None:
        """It passed."""
        ...

    def refused(self, sent_at: float, now: float, throttle: Throttle) -> None:
        """It was refused."""
        ...


class Slots:
    """Slots as `runner.engine.limiter` gives them."""

    def __init__(self, rate: float, burst: int) -> None:
        self._burst = burst
        self._full_rate = self._rate = rate
        self._at, self._debt = 0.0, 1.0 - burst
        self._not_before = 0.0

    @property
    def _savable(self) -> float:
        return self._burst - 1.0 if self._rate >= self._full_rate else 0.0

    def _settle(self, now: float) -> None:
        if now > self._at:
            least = 0.0 if self._at < self._not_before else -self._savable
            self._debt = max(self._debt - self._rate * (now - self._at), min(self._debt, least))
            self._at = now

    def ready_at(self) -> float:
        """When the next slot is due."""
        return max(self._at + max(self._debt, 0.0) / self._rate, self._not_before)

    def take(self, now: float) -> None:
        """Take it."""
        self._settle(now)
        self._debt += 1

    def set_rate(self, rate: float, now: float) -> None:
        """Go on at another rate."""
        self._settle(now)
        self._rate = rate
        self._debt = max(self._debt, -self._savable)

    def hold(self, until: float, now: float) -> None:
        """Give none before then, and save nothing up."""
        self._settle(now)
        self._not_before = until


class Own:
    """The runner's rule."""

    def __init__(self, rate: float, burst: int) -> None:
        self._slots = Slots(rate, burst)
        self.learner = Learner(rate)

    def ready_at(self, now: float) -> float:
        """See `Rule.ready_at`."""
        del now
        return self._slots.ready_at()

    def sent(self, now: float) -> None:
        """See `Rule.sent`."""
        self._slots.take(now)
        if self.learner.is_active:
            self.learner.sent(now)
            self._follow(now)

    def passed(self, sent_at: float, now: float) -> None:
        """See `Rule.passed`."""
        if self.learner.is_active:
            self.learner.passed(sent_at, now)
            self._follow(now)
        else:
            self.learner.note(sent_at)

    def refused(self, sent_at: float, now: float, throttle: Throttle) -> None:
        """See `Rule.refused`."""
        self.learner.refused(throttle, sent_at, now)
        self._follow(now)

    def _follow(self, now: float) -> None:
        self._slots.set_rate(self.learner.rate, now)
        self._slots.hold(self.learner.opens_at(0), now)


class Halving:
    """What the runner did before: half the rate and a pause, then 1 % of the configured rate regained a second.

    A named limit is kept to at 0.95 for good, once a whole window has been waited out.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._slots = Slots(rate, burst)
        self._asked = rate
        self._named = math.inf
        self._slowed_to = math.inf
        self._cut_at, self._rises_from = -1.0, 0.0

    @property
    def _ceiling(self) -> float:
        return min(self._asked, self._named)

    def _rate(self, now: float) -> float:
        if math.isinf(self._slowed_to):
            return self._asked
        return min(self._slowed_to + self._asked * 0.01 * max(0.0, now - self._rises_from), self._ceiling)

    def ready_at(self, now: float) -> float:
        """See `Rule.ready_at`."""
        self._slots.set_rate(self._rate(now), now)
        return self._slots.ready_at()

    def sent(self, now: float) -> None:
        """See `Rule.sent`."""
        self._slots.take(now)

    def passed(self, sent_at: float, now: float) -> None:
        """See `Rule.passed`."""

    def refused(self, sent_at: float, now: float, throttle: Throttle) -> None:
        """See `Rule.refused`."""
        before = self._rate(now)
        window_s = 0.0
        if throttle.limit and throttle.period_s:
            window_s = throttle.period_s
            self._named = min(self._named, 0.95 * throttle.limit / throttle.period_s)
        pause_s = min(max(window_s, throttle.retry_after_s or 0.0) or 2.0, 300.0)
        self._rises_from = max(self._rises_from, now + pause_s)
        if sent_at > self._cut_at:
            half = max(min(before, self._ceiling) / 2, min(1 / 60, self._ceiling))
            self._slowed_to = self._ceiling if before > self._ceiling else half
            self._cut_at = now
        self._slots.hold(max(now + pause_s, self._slots.ready_at()), now)
        self._slots.set_rate(self._rate(now), now)


class Botocore:
    """`botocore/retries/adaptive.py`, `throttling.py` and `bucket.py`, with their constants: on from the first refusal.

    Its token bucket holds a second's worth. That the refused call itself waits is left out. Beside it,
    slots of the asked rate, which botocore does not know.
    """

    _BETA, _SCALE, _SMOOTH, _LOWEST, _BUCKET_S = 0.7, 0.4, 0.8, 0.5, 0.5

    def __init__(self, rate: float, burst: int) -> None:
        self._slots = Slots(rate, burst)
        self._on = False
        self._measured, self._count, self._bucket_at = 0.0, 0, 0.0
        self._most = self._cut_at = self._root = 0.0
        self._rate, self._tokens, self._at = self._LOWEST, 0.0, 0.0

    def ready_at(self, now: float) -> float:
        """See `Rule.ready_at`."""
        if not self._on:
            return self._slots.ready_at()
        self._fill(now)
        return max(self._slots.ready_at(), now + max(0.0, 1 - self._tokens) / self._rate)

    def sent(self, now: float) -> None:
        """See `Rule.sent`."""
        self._slots.take(now)
        if self._on:
            self._fill(now)
            self._tokens -= 1

    def passed(self, sent_at: float, now: float) -> None:
        """See `Rule.passed`."""
        del sent_at
        self._measure(now)
        self._set(self._SCALE * (now - self._cut_at - self._root) ** 3 + self._most, now)

    def refused(self, sent_at: float, now: float, throttle: Throttle) -> None:
        """See `Rule.refused`."""
        del sent_at, throttle
        self._measure(now)
        self._most = min(self._measured, self._rate) if self._on else self._measured
        self._root = (self._most * (1 - self._BETA) / self._SCALE) ** (1 / 3)
        self._cut_at, self._on = now, True
        self._set(self._most * self._BETA, now)

    def _measure(self, now: float) -> None:
        self._count += 1
        bucket_at = math.floor(now / self._BUCKET_S) * self._BUCKET_S
        if bucket_at > self._bucket_at:
            seen = self._count / (bucket_at - self._bucket_at)
            self._measured = seen * self._SMOOTH + self._measured * (1 - self._SMOOTH)
            self._count, self._bucket_at = 0, bucket_at

    def _set(self, rate: float, now: float) -> None:
        self._fill(now)
        self._rate = max(self._LOWEST, min(rate, 2 * self._measured))
        self._tokens = min(self._tokens, self._size)

    @property
    def _size(self) -> float:
        return max(1.0, self._rate)

    def _fill(self, now: float) -> None:
        self._tokens = min(self._size, self._tokens + (now - self._at) * self._rate)
        self._at = now


RULES: dict[str, Callable[[float, int], Rule]] = {"halving": Halving, "botocore": Botocore, "runner": Own}
