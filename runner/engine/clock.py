"""The clock of a real run."""

from __future__ import annotations

import asyncio
import time

# How late a timer may be: epoll and uvloop count in milliseconds.
_TIMER_LATENESS_S = 0.0025
# About one turn of the loop: too short to wait by turns.
_TURN_S = 0.00004


class SystemClock:
    """The machine's clocks. Wall-clock time is read once; from then on it goes with the monotonic clock.

    So a wall clock that is set back or forward while a run goes on moves no timeout. (uvloop's own time only has
    milliseconds, so it is not used.)
    """

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        """Epoch seconds."""
        return self._offset + time.monotonic()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def sleep_precisely(self, seconds: float) -> None:
        """Wait by timer, then by turns of the loop, and at the very end by looking at the clock."""
        until = time.monotonic() + seconds
        if seconds > _TIMER_LATENESS_S:
            await asyncio.sleep(seconds - _TIMER_LATENESS_S)
        while time.monotonic() < until - _TURN_S:  # noqa: ASYNC110  no event comes when it is time
            await asyncio.sleep(0)
        while time.monotonic() < until:
            pass
