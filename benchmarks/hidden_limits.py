"""Services with limits that they do not tell of: what the rules of `pace_rules` are held against. Times are seconds."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol


class Named(NamedTuple):
    """A limit as a refusal names it."""

    limit: int
    period_s: float


class HiddenLimit(Protocol):
    """A limit. Calls come in the order of time."""

    def passes(self, now: float) -> bool:
        """Whether a call would pass, without making one."""
        ...

    def take(self, now: float) -> bool:
        """Make a call; whether it passed."""
        ...

    @property
    def named(self) -> Named | None:
        """What a refusal says, where it says anything."""
        ...

    def free_in(self, now: float) -> float:
        """In how many seconds a call may pass, for a Retry-After."""
        ...


class Sliding:
    """At most so many calls in any period; refused ones are counted or not."""

    def __init__(self, limit: int, period_s: float, *, counts_refused: bool = False) -> None:
        self.named: Named | None = Named(limit, period_s)
        self._limit, self._period_s, self._counts = limit, period_s, counts_refused
        self._calls: deque[float] = deque()

    def passes(self, now: float) -> bool:
        """See `HiddenLimit.passes`."""
        while self._calls and self._calls[0] <= now - self._period_s:
            self._calls.popleft()
        return len(self._calls) < self._limit

    def take(self, now: float) -> bool:
        """See `HiddenLimit.take`."""
        passes = self.passes(now)
        if passes or self._counts:
            self._calls.append(now)
        return passes

    def free_in(self, now: float) -> float:
        """See `HiddenLimit.free_in`."""
        return 0.0 if self.passes(now) else self._calls[-self._limit] + self._period_s - now


class Fixed:
    """At most so many calls in each window of the clock. Whether refused ones count makes no difference."""

    def __init__(self, limit: int, period_s: float, *, phase: float = 0.37) -> None:
        self.named: Named | None = Named(limit, period_s)
        self._limit, self._period_s, self._phase_s = limit, period_s, phase * period_s
        self._window, self._count = -1, 0

    def passes(self, now: float) -> bool:
        """See `HiddenLimit.passes`."""
        window = math.floor((now + self._phase_s) / self._period_s)
        if window != self._window:
            self._window, self._count = window, 0
        return self._count < self._limit

    def take(self, now: float) -> bool:
        """See `HiddenLimit.take`."""
        passes = self.passes(now)
        self._count += passes
        return passes

    def free_in(self, now: float) -> float:
        """See `HiddenLimit.free_in`."""
        return 0.0 if self.passes(now) else (self._window + 1) * self._period_s - self._phase_s - now


class Bucket:
    """Tokens that come at a rate, and are saved up to so many."""

    def __init__(self, rate: float, size: float) -> None:
        self.named: Named | None = Named(round(rate), 1.0) if rate >= 1 else Named(round(rate * 60), 60.0)
        self._rate, self._size = rate, size
        self._tokens, self._at = size, 0.0

    def passes(self, now: float) -> bool:
        """See `HiddenLimit.passes`."""
        self._tokens = min(self._size, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = max(self._at, now)
        return self._tokens >= 1

    def take(self, now: float) -> bool:
        """See `HiddenLimit.take`."""
        passes = self.passes(now)
        self._tokens -= passes
        return passes

    def free_in(self, now: float) -> float:
        """See `HiddenLimit.free_in`."""
        return 0.0 if self.passes(now) else (1 - self._tokens) / self._rate


class Unlimited:
    """Whatever comes, passes."""

    named: Named | None = None

    def passes(self, now: float) -> bool:
        """See `HiddenLimit.passes`."""
        del now
        return True

    take = passes

    def free_in(self, now: float) -> float:
        """See `HiddenLimit.free_in`."""
        del now
        return 0.0


class Both:
    """Two limits at once."""

    def __init__(self, one: HiddenLimit, other: HiddenLimit) -> None:
        self._one, self._other = one, other
        self._last = one

    def passes(self, now: float) -> bool:
        """See `HiddenLimit.passes`."""
        return self._one.passes(now) and self._other.passes(now)

    def take(self, now: float) -> bool:
        """See `HiddenLimit.take`."""
        for limit in (self._one, self._other):
            if not limit.take(now):
                self._last = limit
                return False
        return True

    @property
    def named(self) -> Named | None:
        """See `HiddenLimit.named`."""
        return self._last.named

    def free_in(self, now: float) -> float:
        """See `HiddenLimit.free_in`."""
        return max(self._one.free_in(now), self._other.free_in(now))


class Changing:
    """Another limit from a time on."""

    def __init__(self, *parts: tuple[float, HiddenLimit]) -> None:
        self._parts = parts
        self._now = parts[0][1]

    def _at(self, now: float) -> HiddenLimit:
        self._now = [limit for since, limit in self._parts if since <= now][-1]
        return self._now

    def passes(self, now: float) -> bool:
        """See `HiddenLimit.passes`."""
        return self._at(now).passes(now)

    def take(self, now: float) -> bool:
        """See `HiddenLimit.take`."""
        return self._at(now).take(now)

    @property
    def named(self) -> Named | None:
        """See `HiddenLimit.named`."""
        return self._now.named

    def free_in(self, now: float) -> float:
        """See `HiddenLimit.free_in`."""
        return self._at(now).free_in(now)


class Shared:
    """Another client takes so many calls a second of the same limit, from a time to another."""

    def __init__(self, limit: HiddenLimit, other: float, since: float = 0.0, until: float = math.inf) -> None:
        self._limit, self._gap_s, self._until = limit, 1 / other, until
        self._next = since

    def _others(self, now: float) -> None:
        while self._next <= min(now, self._until):
            self._limit.take(self._next)
            self._next += self._gap_s

    def passes(self, now: float) -> bool:
        """See `HiddenLimit.passes`."""
        self._others(now)
        return self._limit.passes(now)

    def take(self, now: float) -> bool:
        """See `HiddenLimit.take`."""
        self._others(now)
        return self._limit.take(now)

    @property
    def named(self) -> Named | None:
        """See `HiddenLimit.named`."""
        return self._limit.named

    def free_in(self, now: float) -> float:
        """See `HiddenLimit.free_in`."""
        return self._limit.free_in(now)


Make = Callable[[], HiddenLimit]
