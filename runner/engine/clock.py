"""The clocks of a run: what the machine shows, and the time that a run counts by.

A run counts by seconds that nobody sets: they go on while the machine sleeps, and a wall clock that is set moves none of
them. What people gave as moments, such as windows and deadlines, follows the wall clock as it is.
"""

from __future__ import annotations

import math
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from runner.engine.ports import Clock, MachineClock

# Timers of event loops stand still while the machine sleeps, and know of no wall clock that is set: so nobody waits for a
# moment for longer than this without looking at the clocks again, seconds.
LONGEST_SLEEP_S = 60.0


# Linux counts the time that the machine sleeps here; elsewhere there may be nothing better than the other one.
_COUNTS_SLEEP = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TIME_NAMESPACE = Path("/proc/self/ns/time")


class SystemClock:
    """The machine's own clocks; uvloop's time only has milliseconds, so it is not used."""

    @cached_property
    def boot(self) -> str:
        """Which clock `monotonic` reads: that of a boot (random(4)), as moved by a time namespace; empty: not known."""
        try:
            return f"{_BOOT_ID.read_text(encoding='ascii').strip()}/{_namespace()}"
        except (OSError, UnicodeError):
            return ""

    def wall(self) -> float:
        """Epoch seconds, as the wall clock shows them now."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go back, and go on while the machine sleeps: clock_gettime(2), CLOCK_BOOTTIME."""
        return time.clock_gettime(_COUNTS_SLEEP)

    async def sleep(self, seconds: float) -> None:
        """Wait; the time that the machine sleeps comes on top."""
        import asyncio  # noqa: PLC0415  a plan needs the time, and no event loop

        await asyncio.sleep(seconds)


def _namespace() -> int:
    """The time namespace (time_namespaces(7)); 0: there are none."""
    try:
        return _TIME_NAMESPACE.stat().st_ino
    except OSError:
        return 0


class Reading(NamedTuple):
    """What two clocks showed at one moment: a run's time, epoch seconds, and `monotonic` of a boot of a machine."""

    at: float
    boot: str
    monotonic: float


class RunClock:
    """The clock of one process's work on a run.

    `before` is what the clocks showed when a process before this one went to work, `last_at` when it recorded the last
    event. On the boot of then the run's time goes on as if it had never stopped, whatever became of the wall clock. Else it
    begins with the wall clock, but not before `last_at`: one that was set back must not make the run wait until then.
    """

    def __init__(self, machine: MachineClock, before: Reading | None = None, last_at: float = -math.inf) -> None:
        self._machine = machine
        # These are asked a dozen times for each create, so there is nothing in between.
        self.monotonic = machine.monotonic
        self.wall = machine.wall
        now = machine.monotonic()
        if before is not None and before.boot and before.boot == machine.boot and before.monotonic <= now:
            self._offset = before.at - before.monotonic
        else:
            self._offset = max(machine.wall(), last_at) - now

    def now(self) -> float:
        """Epoch seconds by which the run counts: for records and intervals."""
        return self._offset + self.monotonic()

    def reading(self) -> Reading:
        """What the clocks show."""
        monotonic = self._machine.monotonic()
        return Reading(self._offset + monotonic, self._machine.boot, monotonic)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._machine.sleep(seconds)


async def sleep_until(clock: Clock, at: float) -> None:
    """Wait until the run's time is `at`, epoch seconds, however long the machine sleeps meanwhile."""
    while (left_s := at - clock.now()) > 0:
        await clock.sleep(min(left_s, LONGEST_SLEEP_S))
