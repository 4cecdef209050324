"""The simulated rate limits: so many calls in a window, refused ones included or not, or tokens that are saved up."""

from __future__ import annotations

from collections import deque
from typing import Literal, Protocol

LimitKind = Literal["fixed", "sliding", "bucket"]


class ThrottleWindow(Protocol):
    """Counts calls."""

    limit: int | None
    period_s: float

    def refuses(self, now: float) -> float | None:
        """Count a call; None if it may pass, else the seconds until one does."""
        ...


def window(kind: LimitKind, limit: int | None, period_s: float, *, counts_refused: bool) -> ThrottleWindow:
    """A limit of a kind; `limit` is None for no limit."""
    if kind == "sliding":
        return SlidingWindow(limit, period_s, counts_refused=counts_refused)
    return TokenBucket(limit, period_s) if kind == "bucket" else FixedWindow(limit, period_s)


class FixedWindow:
    """Windows that follow one another, the first from the first call on. Refused calls make no difference."""

    def __init__(self, limit: int | None, period_s: float) -> None:
        self.limit = limit
        self.period_s = period_s
        self._began = 0.0
        self._count = 0

    def refuses(self, now: float) -> float | None:
        """See `ThrottleWindow.refuses`."""
        if self.limit is None:
            return None
        if now >= self._began + self.period_s:
            self._began, self._count = now, 0
        self._count += 1
        return self._began + self.period_s - now if self._count > self.limit else None


class SlidingWindow:
    """So many calls in any period before each."""

    def __init__(self, limit: int | None, period_s: float, *, counts_refused: bool) -> None:
        self.limit = limit
        self.period_s = period_s
        self._counts_refused = counts_refused
        self._calls: deque[float] = deque()

    def refuses(self, now: float) -> float | None:
        """See `ThrottleWindow.refuses`."""
        if self.limit is None:
            return None
        calls = self._calls
        while calls and calls[0] <= now - self.period_s:
            calls.popleft()
        passes = len(calls) < self.limit
        if passes or self._counts_refused:
            calls.append(now)
        return None if passes else calls[len(calls) - self.limit] + self.period_s - now


class TokenBucket:
    """`limit` tokens come in each period, and as many are saved up."""

    def __init__(self, limit: int | None, period_s: float) -> None:
        self.limit = limit
        self.period_s = period_s
        self._tokens = float(limit or 0)
        self._at = 0.0

    def refuses(self, now: float) -> float | None:
        """See `ThrottleWindow.refuses`."""
        if self.limit is None:
            return None
        rate = self.limit / self.period_s
        self._tokens = min(float(self.limit), self._tokens + max(0.0, now - self._at) * rate)
        self._at = now
        if self._tokens < 1:
            return (1 - self._tokens) / rate
        self._tokens -= 1
        return None
