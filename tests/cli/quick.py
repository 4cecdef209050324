"""Time that goes quicker than that of the machine, for the program and for what it talks to: minutes take seconds."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from runner.engine.clock import SystemClock

T = TypeVar("T")

TIMES = 25.0
"""So many seconds pass in one of the machine's."""
LONGEST_S = 1200.0
"""A command that takes longer is ended at once, and says so; seconds of quick time."""
_FROM, _WALL = time.monotonic(), time.time()


def quick_time() -> float:
    """Seconds that never go back."""
    return _FROM + (time.monotonic() - _FROM) * TIMES


class QuickClock(SystemClock):
    """Clocks that all go quicker by the same."""

    boot = "quick"

    def wall(self) -> float:
        return _WALL + quick_time() - _FROM

    def monotonic(self) -> float:
        return quick_time()


class _QuickSelector(selectors.SelectSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(None if timeout is None else timeout / TIMES)


class _QuickLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__(_QuickSelector())

    def time(self) -> float:
        return quick_time()


def quick_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run it in a loop whose timers go by quick time."""

    async def bounded() -> T:
        async with asyncio.timeout(LONGEST_S):
            return await main

    with asyncio.Runner(loop_factory=_QuickLoop) as runner:
        return runner.run(bounded())
