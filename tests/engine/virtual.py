"""Time that passes only when everybody waits, and a machine whose wall clock is set and that sleeps."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Any


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to the next timer whenever nothing else is to be done."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.before_time_passes: Callable[[float], None] = lambda seconds: None
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self.now


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._virtual = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise AssertionError("everything waits for something that never comes")
        if timeout > 0.0:
            self._virtual.before_time_passes(timeout)
        self._virtual.now += max(0.0, timeout)
        return []  # no file and no socket is ever waited for


class VirtualClock:
    """The clocks of a machine whose loop's time is virtual. `monotonic` is what really passes, for everybody."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.slept_s = 0.0
        self.set_by_s = 0.0
        self.boots = 1

    @property
    def boot(self) -> str:
        return f"boot-{self.boots}"

    @property
    def changes(self) -> tuple[float, float]:
        """What differs once the machine slept, or somebody set its clock."""
        return self.slept_s, self.set_by_s

    def wall(self) -> float:
        return self.monotonic() + self.set_by_s

    now = wall

    def monotonic(self) -> float:
        return self._loop.time() + self.slept_s

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def set_wall(self, seconds: float) -> None:
        """Somebody sets the wall clock forward, or back."""
        self.set_by_s += seconds

    def suspend(self, seconds: float) -> None:
        """The machine sleeps: its timers stand still."""
        self.slept_s += seconds
