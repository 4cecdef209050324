"""A limit that the service named: so many calls in any period, counted over the calls of one lane."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# The network moves calls about: so much longer than the period their ends are kept apart, as a share of it and at most,
# seconds.
_MARGIN = 0.02
_MOST_MARGIN_S = 0.1
# Of a limit of more calls than these only the mean is kept to.
MOST_COUNTED = 4096


class Allowance:
    """`limit` calls in any `period_s` seconds, wherever the service has its windows begin. Times are monotonic seconds."""

    __slots__ = ("_calls", "_since", "limit", "period_s")

    def __init__(self, limit: int, period_s: float, calls: Iterable[float], now: float) -> None:
        self.limit = limit
        self.period_s = period_s
        self._since = now
        self._calls = deque(calls, min(limit, MOST_COUNTED))

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
        if self.limit > MOST_COUNTED or len(self._calls) + others < self.limit:
            return 0.0
        place = len(self._calls) + others - self.limit
        return self._calls[min(place, len(self._calls) - 1)] + self._apart_s

    @property
    def _apart_s(self) -> float:
        return self.period_s + min(_MOST_MARGIN_S, _MARGIN * self.period_s)
