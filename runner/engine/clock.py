"""The clocks of a run: what the machine shows, and the time that a run counts by.

A run counts by seconds that nobody sets: they go on while the machine sleeps, and a wall clock that is set moves none of
them. What people gave as moments, such as windows and deadlines, follows the wall clock as it is.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.engine.ports import Clock, MachineClock

# Timers of event loops stand still while the machine sleeps, and know of no wall clock that is set: so nobody waits for a
# moment for longer than this without looking at the clocks again, seconds.
LONGEST_SLEEP_S = 60.0


# Linux counts the time that the machine sleeps here; elsewhere there may be nothing better than the other one.
_COUNTS_SLEEP = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """The machine's own clocks; uvloop's time only has milliseconds, so it is not used."""

    def wall(self) -> float:
        """Epoch seconds, as the wall clock shows them now."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go back, and go on while the machine sleeps: clock_gettime(2), CLOCK_BOOTTIME."""
        return time.clock_gettime(_COUNTS_SLEEP)

    async def sleep(self, seconds: float) -> None:
        """Wait; the time that the machine sleeps comes on top."""
        await asyncio.sleep(seconds)


class RunClock:
    """The clock of one process's work on a run.

    `now` begins with the wall clock, or with `not_before`, epoch seconds, where that is later: the run has events of then
    already, and a wall clock that was set back since must not make it wait until it is there again.
    """

    def __init__(self, machine: MachineClock, not_before: float = -math.inf) -> None:
        self._machine = machine
        self._offset = max(machine.wall(), not_before) - machine.monotonic()

    def now(self) -> float:
        """Epoch seconds by which the run counts: for records and intervals."""
        return self._offset + self._machine.monotonic()

    def wall(self) -> float:
        """Epoch seconds, as the wall clock shows them now: for moments that people gave."""
        return self._machine.wall()

    def monotonic(self) -> float:
        """Seconds that never go back, and go on while the machine sleeps."""
        return self._machine.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._machine.sleep(seconds)


async def sleep_until(clock: Clock, at: float) -> None:
    """Wait until the run's time is `at`, epoch seconds, however long the machine sleeps meanwhile."""
    while (left_s := at - clock.now()) > 0:
        await clock.sleep(min(left_s, LONGEST_SLEEP_S))
