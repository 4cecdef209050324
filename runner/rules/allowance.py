"""Limits that the service named, and one that was inferred: so many calls in any period, counted over those of a lane."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.rules.answers import Throttle
    from runner.rules.flow import Flow

# The network moves calls about: so much longer than the period their ends are kept apart, as a share of it and at most,
# seconds.
_MARGIN = 0.02
_MOST_MARGIN_S = 0.1
# Of a limit of more calls than these only the mean is kept to.
_MOST_COUNTED = 4096
# To a limit of a period up to this a lane keeps evenly, too, seconds.
_EVEN_S = 2.0
MINUTE_S = 60.0
"""The period of a limit that is inferred, seconds."""
# Near enough to a named limit to have run into it.
_RUN_INTO = 0.97


class Allowance:
    """`limit` calls in any `period_s` seconds, wherever the service has its windows begin. Times are monotonic seconds."""

    __slots__ = ("_calls", "_since", "limit", "period_s")

    def __init__(self, limit: int, period_s: float, calls: Iterable[float], now: float) -> None:
        self.limit = limit
        self.period_s = period_s
        self._since = now
        self._calls = deque(calls, min(limit, _MOST_COUNTED))

    @property
    def rate(self) -> float:
        """Calls per second that it comes to."""
        return self.limit / self._apart_s

    def sent(self, now: float) -> None:
        """A call leaves: it is counted, whatever comes of it, for refused ones may count, too (api-facts 5)."""
        self._calls.append(now)

    def answered(self, sent_at: float) -> None:
        """A call was answered that had left before the limit was known, and is not counted yet."""
        if sent_at < self._since:
            self._calls = deque(sorted((*self._calls, sent_at))[-(self._calls.maxlen or 1) :], self._calls.maxlen)

    def opens_at(self, others: int) -> float:
        """From when on another call fits in after `others` more; a time that is over: at once."""
        if self.limit > _MOST_COUNTED or len(self._calls) + others < self.limit:
            return 0.0
        place = len(self._calls) + others - self.limit
        return self._calls[min(place, len(self._calls) - 1)] + self._apart_s

    @property
    def _apart_s(self) -> float:
        return self.period_s + min(_MOST_MARGIN_S, _MARGIN * self.period_s)


class Allowances:
    """All that are known, by their period. `inferred` is one that nobody named."""

    __slots__ = ("_by_period", "inferred")

    def __init__(self) -> None:
        self._by_period: dict[float, Allowance] = {}
        self.inferred: Allowance | None = None

    def __bool__(self) -> bool:
        return bool(self._by_period)

    @property
    def rate(self) -> float:
        """What all of them come to; infinity: there is none."""
        return min((allowance.rate for allowance in self._by_period.values()), default=math.inf)

    @property
    def even_rate(self) -> float:
        """That of those of a short period: never above it."""
        return min((a.rate for a in self._by_period.values() if a.period_s <= _EVEN_S), default=math.inf)

    @property
    def has_long(self) -> bool:
        """Whether one of a long period is known."""
        return any(period_s > _EVEN_S for period_s in self._by_period)

    def sent(self, now: float) -> None:
        """See `Allowance.sent`."""
        for allowance in self._by_period.values():
            allowance.sent(now)

    def answered(self, sent_at: float) -> None:
        """See `Allowance.answered`."""
        for allowance in self._by_period.values():
            allowance.answered(sent_at)

    def opens_at(self, others: int) -> float:
        """See `Allowance.opens_at`."""
        return max((allowance.opens_at(others) for allowance in self._by_period.values()), default=0.0)

    def explain(self, throttle: Throttle, rate: float) -> bool:
        """Whether a refusal at this rate is by the limit that it names."""
        return bool(throttle.limit) and rate >= _RUN_INTO * self.rate

    def take_in(self, throttle: Throttle, flow: Flow, now: float) -> bool:
        """Whether a limit is named that was not known."""
        limit, period_s = throttle.limit or 0, throttle.period_s or 0.0
        known = self._by_period.get(period_s)
        if limit <= 0 or period_s <= 0 or (known is not None and known.limit == limit and known is not self.inferred):
            return False
        self.forget_inferred()
        self._by_period[period_s] = Allowance(limit, period_s, flow.of_cycle(limit), now)
        return True

    def infer(self, flow: Flow, now: float) -> float:
        """Take what passed in a minute for the limit of a minute; return the rate that it comes to."""
        took_s = max(now - flow.cycle_at - 2.0, 1.0)
        limit = max(1, round(flow.cycle * min(1.0, MINUTE_S / took_s)))
        self.inferred = self._by_period[MINUTE_S] = Allowance(limit, MINUTE_S, flow.of_cycle(limit), now)
        return self.inferred.rate

    def forget_inferred(self) -> None:
        """It was none."""
        if self.inferred is not None:
            del self._by_period[self.inferred.period_s]
            self.inferred = None
