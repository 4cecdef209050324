"""The clock of a real run."""

from __future__ import annotations

import asyncio
import time


class LoopClock:
    """Wall-clock time that runs with the event loop's own clock from its start on.

    So a wall clock that is set back or forward while a run goes on moves no timeout, and under an event loop with
    virtual time everything is virtual.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._offset = time.time() - loop.time()

    def now(self) -> float:
        """Epoch seconds."""
        return self._offset + self._loop.time()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
