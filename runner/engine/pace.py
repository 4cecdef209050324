"""The pace of one kind of call on a lane: the configured rate, and what the service's throttling makes of it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from runner.engine.limiter import Limiter
from runner.rules.answers import Throttle
from runner.rules.throttle import LONGEST_PAUSE_S, Throttling, rate_at, throttled

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.engine.ports import Clock

# How often to look whether a rate that creeps back lets a call through sooner, seconds.
_LOOK_S = 1.0


class Pace:
    """A limiter that slows down when the service asks for it, and creeps back. `limited`: calls may have to wait.

    That of a run that is `resumed` begins without a burst: the process before may have used it a moment ago.
    """

    def __init__(
        self,
        rate: float | None,
        burst: int,
        clock: Clock,
        *,
        resumed: bool = False,
        longest_pause_s: float = LONGEST_PAUSE_S,
    ) -> None:
        self._clock = clock
        self._limiter = Limiter(rate, burst, clock)
        if resumed and rate is not None:
            self._limiter.pause(1 / rate)
        self._throttling = Throttling(configured=rate, longest_pause_s=longest_pause_s)
        self.limited = rate is not None

    def near_in(self, others: int, lead_s: float) -> float:
        """Seconds until it is time to look whether a call after `others` more has its turn within `lead_s`; 0: it has."""
        if not self.limited:
            return 0.0
        self._creep()
        ahead = max(0.0, self._limiter.due_in(others) - lead_s)
        return min(ahead, _LOOK_S) if self._is_rising else ahead

    async def wait(self, is_worth_it: Callable[[float], bool] = lambda _: True) -> bool:
        """Wait for this call's turn; False: it was given up, see `Limiter.wait`."""
        if not self.limited:
            return True
        self._creep()
        return await self._limiter.wait(is_worth_it)

    def throttled(self, throttle: Throttle | None, sent_at: float) -> float:
        """The service refused a call sent at `sent_at` (monotonic). Return how long the pace pauses, seconds."""
        self.limited = True
        now = self._clock.monotonic()
        self._throttling, pause_s = throttled(self._throttling, throttle or Throttle(), now=now, sent_at=sent_at)
        self._limiter.pause(pause_s)
        self._limiter.set_rate(self.rate)
        return pause_s

    def pause(self, seconds: float) -> None:
        """The service wants to be left alone for so long: it is, for as long as it may ask for."""
        self.limited = True
        self._limiter.pause(min(seconds, self._throttling.longest_pause_s))

    def set_rate(self, rate: float) -> None:
        """Go on at another rate than was configured, calls per second; infinity: no limit."""
        configured = None if math.isinf(rate) else rate
        if configured == self._throttling.configured:
            return
        self._throttling = replace(self._throttling, configured=configured)
        self.limited = configured is not None or self._throttling.is_throttled
        self._limiter.set_rate(self.rate)

    @property
    def rate(self) -> float | None:
        """Calls per second now; None: no limit."""
        return rate_at(self._throttling, self._clock.monotonic())

    @property
    def _is_rising(self) -> bool:
        rate = self.rate
        return self._throttling.is_throttled and rate is not None and rate < self._throttling.ceiling

    def _creep(self) -> None:
        if self._throttling.is_throttled:
            self._limiter.set_rate(self.rate)
