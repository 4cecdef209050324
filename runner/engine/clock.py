"""The clock of a real run."""

from __future__ import annotations

import asyncio
import time


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
