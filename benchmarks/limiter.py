"""The rate limiter on the real clock: how near to its rate, how hard its bound, how even."""

from __future__ import annotations

import asyncio
import bisect

from benchmarks.tools import header, row
from runner.engine.clock import RunClock, SystemClock
from runner.engine.limiter import Limiter

SECONDS = 5.0
WINDOWS_S = (0.001, 0.01, 0.1, 0.5, 1.0)


async def _slots(rate: float, burst: int) -> list[float]:
    clock = RunClock(SystemClock())
    limiter = Limiter(rate, burst, clock)
    await limiter.wait()
    times = [clock.monotonic()]
    while times[-1] < times[0] + SECONDS:
        await limiter.wait()
        times.append(clock.monotonic())
    return times


def _most_in(times: list[float], window_s: float) -> int:
    return max(bisect.bisect_right(times, at + window_s) - index for index, at in enumerate(times))


def main() -> None:
    """Print how each rate was kept for five seconds."""
    import uvloop  # noqa: PLC0415  one of the two loops to compare

    header("loop", "rate", "burst", "rate reached / asked", "most above rate x T + burst", "fullest 100 ms / its share")
    for name, run in (("asyncio", asyncio.run), ("uvloop", uvloop.run)):
        for rate in (50.0, 500.0, 2000.0):
            for burst in (1, 10):
                times = run(_slots(rate, burst))
                steady = times[burst - 1 :]
                reached = (len(steady) - 1) / (steady[-1] - steady[0]) / rate
                excess = max(_most_in(times, window) - rate * window - burst for window in WINDOWS_S)
                even = (_most_in(times, 0.1 - 1e-6)) / (rate * 0.1)
                row(name, int(rate), burst, f"{reached:.4f}", f"{excess:.1f}", even)


if __name__ == "__main__":
    main()
