"""How many requests are on their way at once: a limit that may change while some are."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Connections:
    """As `asyncio.Semaphore`, but with a limit that is asked for anew each time. `used` is how many are taken."""

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self.used = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __aenter__(self) -> None:
        while self.used >= self._limit():
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                self._wake()
                raise
        self.used += 1

    async def __aexit__(self, *_: object) -> None:
        self.used -= 1
        self._wake()

    def _wake(self) -> None:
        """As many as the limit allows: it may have been raised."""
        free = self._limit() - self.used
        while self._waiting and free > 0:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                free -= 1
