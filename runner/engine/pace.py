"""The pace of one kind of call on a lane: the configured rate, and what is learned of the service's limits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from runner.engine.limiter import Limiter
from runner.rules.answers import Throttle
from runner.rules.learning import LONGEST_PAUSE_S, Learner

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.engine.ports import Clock

# How often to look whether a call is let through sooner than it seemed: as a share of that time, and at least and at most,
# seconds.
_LOOK_SHARE, _LOOK_OFTEN_S, _LOOK_S = 0.1, 0.1, 1.0


class Pace:
    """A limiter that follows what is learned from the answers. `limited`: calls may have to wait.

    That of a run that is `resumed` begins without a burst: the process before may have used it a moment ago. One that
    begins at a rate that was `learned` before has none either.
    """

    def __init__(
        self,
        rate: float | None,
        burst: int,
        clock: Clock,
        *,
        resumed: bool = False,
        longest_pause_s: float = LONGEST_PAUSE_S,
        learned: float | None = None,
    ) -> None:
        self._clock = clock
        self._longest_pause_s = longest_pause_s
        self._limiter = Limiter(rate, burst, clock)
        if resumed and rate is not None:
            self._limiter.pause(1 / rate)
        self.learner = Learner(math.inf if rate is None else rate, longest_pause_s, learned)
        self.limited = rate is not None or self.learner.is_active
        self._followed, self._held_until = self.learner.asked, -math.inf
        if self.learner.is_active:
            self._follow()

    def near_in(self, others: int, lead_s: float) -> float:
        """Seconds until it is time to look whether a call after `others` more has its turn within `lead_s`; 0: it has."""
        if not self.limited:
            return 0.0
        ahead = self._limiter.due_in(others) - lead_s
        if not self.learner.is_active:
            return max(0.0, ahead)
        ahead = max(ahead, self.learner.opens_at(others) - self._clock.monotonic() - lead_s)
        return max(0.0, ahead)

    async def wait(self, is_worth_it: Callable[[float], bool] = lambda _: True) -> bool:
        """Wait for this call's turn; False: it was given up, see `Limiter.wait`."""
        if not self.limited:
            return True
        if not await self._limiter.wait(is_worth_it):
            return False
        if self.learner.is_active:
            self.learner.sent(self._clock.monotonic())
            self._follow()
        return True

    def passed(self, sent_at: float) -> None:
        """No limit of the service was in the way of a call that was sent at `sent_at` (monotonic)."""
        if self.learner.is_active:
            self.learner.passed(sent_at, self._clock.monotonic())
            self._follow()
        else:
            self.learner.note(sent_at)

    def throttled(self, throttle: Throttle | None, sent_at: float) -> float:
        """The service refused a call sent at `sent_at` (monotonic). Return how long the pace pauses, seconds."""
        now = self._clock.monotonic()
        pause_s = self.learner.refused(throttle or Throttle(), sent_at, now)
        self.limited = True
        self._follow()
        return pause_s

    def pause(self, seconds: float) -> None:
        """The service wants to be left alone for so long: it is, for as long as it may ask for."""
        self.limited = True
        self._limiter.pause(min(seconds, self._longest_pause_s))

    def set_rate(self, rate: float) -> None:
        """Go on at another rate than was configured, calls per second; infinity: no limit."""
        if rate == self.learner.asked:
            return
        self.learner.set_asked(rate)
        self.limited = self.learner.is_active or not math.isinf(rate)
        self._limiter.set_rate(self.rate)

    @property
    def rate(self) -> float | None:
        """Calls per second now; None: no limit."""
        return None if math.isinf(self.learner.rate) else self.learner.rate

    def _follow(self) -> None:
        """Have the limiter do as was learned."""
        limiter, learner = self._limiter, self.learner
        if learner.rate != self._followed:
            limiter.set_rate(self.rate)
            self._followed = learner.rate
        opens_at = learner.opens_at(0)
        if opens_at != self._held_until:
            limiter.hold_until(opens_at)
            self._held_until = opens_at
            held_s = opens_at - self._clock.monotonic()
            limiter.longest_s = min(max(_LOOK_SHARE * held_s, _LOOK_OFTEN_S), _LOOK_S) if held_s > 0 else _LOOK_S
