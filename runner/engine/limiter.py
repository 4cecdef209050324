"""A rate limiter: GCRA (ITU-T I.371), which spreads calls evenly and keeps a hard bound.

In any T seconds it lets through at most rate x T + burst calls. With a burst of two or more, a timer that fires late is
made up for within the burst. With a burst of one there is nothing to make up with, so the waits are precise instead.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.engine.ports import Clock


class Limiter:
    """Lets callers through at `rate` per second (None: no limit), first come, first served."""

    def __init__(self, rate: float | None, burst: int, clock: Clock) -> None:
        self._clock = clock
        self._burst = burst
        self._interval = _interval(rate)
        # When the next call would be due if calls came exactly at the rate: GCRA's theoretical arrival time.
        self._due = clock.monotonic()
        self._paused_until = self._due
        self._turn = asyncio.Lock()

    async def wait(self) -> None:
        """Return when the caller may go on. Cancelled while it waits, it takes nothing."""
        if self._interval == 0.0 and self._clock.monotonic() >= self._paused_until:
            return
        async with self._turn:
            while True:
                now = self._clock.monotonic()
                wait_s = max(self._due - (self._burst - 1) * self._interval, self._paused_until) - now
                if wait_s <= 0:
                    self._due = max(now, self._due) + self._interval
                    return
                await (self._clock.sleep_precisely(wait_s) if self._burst == 1 else self._clock.sleep(wait_s))

    def set_rate(self, rate: float | None) -> None:
        """Go on at another rate from now on; a slower one starts with no burst to spend."""
        interval = _interval(rate)
        if interval > self._interval:
            now = self._clock.monotonic()
            self._due = max(self._due, now + (self._burst - 1) * interval)
        self._interval = interval

    def pause(self, seconds: float) -> None:
        """Let nobody through for a while."""
        self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)


def _interval(rate: float | None) -> float:
    return 1 / rate if rate else 0.0
