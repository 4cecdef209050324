"""The pace of one kind of call on a lane: the configured rate, and what the service's throttling makes of it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from runner.engine.limiter import Limiter
from runner.rules.answers import Throttle
from runner.rules.throttle import Throttling, rate_at, throttled

if TYPE_CHECKING:
    from runner.engine.ports import Clock

_NEAR_S = 1.0


class Pace:
    """A limiter that slows down when the service asks for it, and creeps back.

    That of a run that is `resumed` begins without a burst: the process before may have used it a moment ago.
    """

    def __init__(self, rate: float | None, burst: int, clock: Clock, *, resumed: bool = False) -> None:
        self._clock = clock
        self._limiter = Limiter(rate, burst, clock)
        if resumed and rate is not None:
            self._limiter.pause(1 / rate)
        self._throttling = Throttling(configured=rate)
        self._unlimited = rate is None

    async def near(self, waiting: int) -> bool:
        """Wait until a call after `waiting` others would have its turn within a second.

        Returns whether other tasks may have run meanwhile.
        """
        slept = False
        while not self._unlimited and (ahead := self._limiter.due_in(waiting) - _NEAR_S) > 0:
            await self._clock.sleep(min(ahead, _NEAR_S))
            slept = True
        return slept

    async def wait(self) -> None:
        """Wait for this call's turn."""
        if self._unlimited:
            return
        if self._throttling.is_throttled:
            self._limiter.set_rate(rate_at(self._throttling, self._clock.monotonic()))
        await self._limiter.wait()

    def throttled(self, throttle: Throttle | None, sent_at: float) -> float:
        """The service refused a call sent at `sent_at` (monotonic). Return how long the pace pauses, seconds."""
        self._unlimited = False
        now = self._clock.monotonic()
        self._throttling, pause_s = throttled(self._throttling, throttle or Throttle(), now=now, sent_at=sent_at)
        self._limiter.pause(pause_s)
        self._limiter.set_rate(self.rate)
        return pause_s

    def set_rate(self, rate: float) -> None:
        """Go on at another rate than was configured, calls per second; infinity: no limit."""
        configured = None if math.isinf(rate) else rate
        if configured == self._throttling.configured:
            return
        self._throttling = replace(self._throttling, configured=configured)
        self._unlimited = configured is None and not self._throttling.is_throttled
        self._limiter.set_rate(self.rate)

    @property
    def rate(self) -> float | None:
        """Calls per second now; None: no limit."""
        return rate_at(self._throttling, self._clock.monotonic())
