"""The pace of a lane: never more than rate x T + burst slots in any T seconds, evenly spread, at a rate that may change.

GCRA in its leaky-bucket form: `debt` counts the slots not yet earned back; negative, it is what was saved up for a burst.

Timers of event loops are coarse: 1 ms, late by up to 1.5 ms on either loop, early by as much on uvloop. A burst of a
few milliseconds' worth of slots absorbs that: several are let through per wake-up, and the average holds. Without one,
time lost by waking late is lost for good, because to make up for it is to break the bound. So a limiter with too small a
burst sleeps only until shortly before the slot is due, and then lets the loop run round and round until it is: exact
to some microseconds, at the price of up to `_TIMER_S` of CPU per slot.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.engine.ports import Clock

# How late a timer may be; a burst worth less time than twice this does not absorb it.
_TIMER_S = 0.002
# Slots further apart than this lose less than 1 % by waking late: not worth the CPU.
_FAR_APART_S = 0.2
# The longest and shortest sleeps, seconds. A raised rate, or that waiting is no longer worth it, is noticed after the
# longest; the shortest is one that moves every clock, where a rounding error before the slot is due would not.
_LONGEST_S = 1.0
_SHORTEST_S = 1e-6


class Limiter:
    """Lets callers through at `rate` slots a second, at most `burst` (1 or more) of them at once; rate None: no limit.

    A burst belongs to the rate that the limiter began with. Slowed down, it spaces slots evenly, because the one who
    asked for the lower rate did not ask for a burst. A pause saves up nothing either. All in one event loop. Who waits looks
    again after `longest_s` seconds at the latest.
    """

    def __init__(self, rate: float | None, burst: int, clock: Clock) -> None:
        self._clock = clock
        self._turn = asyncio.Lock()
        self._burst = burst
        self._full_rate = self._rate = math.inf if rate is None else rate
        self._at = clock.monotonic()
        self._debt = -self._savable
        self._not_before = -math.inf
        self.longest_s = _LONGEST_S

    @property
    def rate(self) -> float | None:
        """Slots per second; None: no limit."""
        return None if math.isinf(self._rate) else self._rate

    async def wait(self, is_worth_it: Callable[[float], bool] = lambda _: True) -> bool:
        """Take the next slot, in the order of the calls. Switches to no other task when the slot is due already.

        `is_worth_it` is asked about once a second whether to wait so many seconds more; if not, no slot is taken, and
        False comes back. A caller that is cancelled has taken no slot either.
        """
        async with self._turn:
            while (ahead := self._due - self._clock.monotonic()) > 0:
                if not is_worth_it(ahead):
                    return False
                await self._approach(ahead)
            self._settle()
            self._debt += 1
        return True

    def due_in(self, others: int) -> float:
        """Seconds until the slot is due that comes after `others` more are taken; 0 if it is."""
        now = self._clock.monotonic()
        due = self._at + max(self._debt + others, 0.0) / self._rate
        if self._not_before > now:  # those before it are let through from then on only
            due = max(due, self._not_before + others / self._rate)
        return max(0.0, due - now)

    def set_rate(self, rate: float | None) -> None:
        """Go on at another rate, from now on; what was earned until now was earned at the old one.

        A caller that waits already sees a lower rate at once and a higher one within a second.
        """
        self._settle()
        self._rate = math.inf if rate is None else rate
        self._debt = max(self._debt, -self._savable)

    def hold_until(self, monotonic: float) -> None:
        """Let nobody through before then, in place of what was held until now: it may be sooner.

        Nothing is saved up meanwhile. Who waits sees it after `longest_s`.
        """
        self._settle()
        self._not_before = monotonic

    def pause(self, seconds: float) -> None:
        """Let nobody through for so long, and then no burst."""
        self.pause_until(self._clock.monotonic() + seconds)

    def pause_until(self, monotonic: float) -> None:
        """Let nobody through before then, and then no burst. A pause never shortens another."""
        self._settle()
        self._at = max(self._at, monotonic)
        self._debt = max(self._debt, 0.0)

    @property
    def _savable(self) -> float:
        return self._burst - 1.0 if self._rate >= self._full_rate else 0.0

    @property
    def _due(self) -> float:
        return max(self._at + max(self._debt, 0.0) / self._rate, self._not_before)

    def _settle(self) -> None:
        # A pause puts `_at` ahead of the clock: nothing is earned until then.
        now = self._clock.monotonic()
        if now > self._at:
            least = 0.0 if self._at < self._not_before else -self._savable
            self._debt = max(self._debt - self._rate * (now - self._at), min(self._debt, least))
            self._at = now

    async def _approach(self, ahead: float) -> None:
        if not self._is_exact:
            await self._sleep(ahead)
        elif ahead > _TIMER_S:
            await self._sleep(ahead - _TIMER_S)
        else:
            before = self._clock.monotonic()
            await self._clock.sleep(0)
            if self._clock.monotonic() == before:  # virtual or coarse: a clock that only sleeping moves
                await self._sleep(ahead)

    @property
    def _is_exact(self) -> bool:
        return self._savable < 2 * _TIMER_S * self._rate and self._rate * _FAR_APART_S > 1

    async def _sleep(self, seconds: float) -> None:
        await self._clock.sleep(min(max(seconds, _SHORTEST_S), self.longest_s))
