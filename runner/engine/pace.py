"""The pace of one kind of call on a lane: the configured rate, and what the service's throttling makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.campaign.answers import Throttle
from runner.campaign.throttle import Throttling, rate_at, throttled
from runner.engine.limiter import Limiter

if TYPE_CHECKING:
    from runner.engine.ports import Clock


class Pace:
    """A limiter that slows down when the service asks for it, and creeps back."""

    def __init__(self, rate: float | None, burst: int, clock: Clock) -> None:
        self._clock = clock
        self._limiter = Limiter(rate, burst, clock)
        self._throttling = Throttling(configured=rate)
        self._unlimited = rate is None

    async def wait(self) -> bool:
        """Wait for this call's turn; return whether other tasks may have run meanwhile."""
        if self._unlimited:
            return False
        if self._throttling.is_throttled:
            self._limiter.set_rate(rate_at(self._throttling, self._clock.monotonic()))
        await self._limiter.wait()
        return True

    def throttled(self, throttle: Throttle | None, sent_at: float) -> float:
        """The service refused a call sent at `sent_at` (monotonic). Return how long the pace pauses, seconds."""
        self._unlimited = False
        now = self._clock.monotonic()
        self._throttling, pause_s = throttled(self._throttling, throttle or Throttle(), now=now, sent_at=sent_at)
        self._limiter.pause(pause_s)
        self._limiter.set_rate(self.rate)
        return pause_s

    @property
    def rate(self) -> float | None:
        """Calls per second now; None: no limit."""
        return rate_at(self._throttling, self._clock.monotonic())
