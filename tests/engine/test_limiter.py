"""The pace of a lane, on a clock whose timers are late: whatever happens, never more than rate x T + burst."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from runner.engine.limiter import Limiter


class LateClock:
    """Time that only sleeping moves. Every sleep is late by the next of `late`, seconds."""

    def __init__(self, late: list[float]) -> None:
        self._at = 1000.0
        self._late = late
        self._sleeps = 0

    def wall(self) -> float:
        return self._at

    def now(self) -> float:
        return self._at

    def monotonic(self) -> float:
        return self._at

    async def sleep(self, seconds: float) -> None:
        self._sleeps += 1
        self._at += seconds + self._late[self._sleeps % len(self._late)]
        await asyncio.sleep(0)


rates = st.floats(0.1, 5000)
bursts = st.integers(1, 50)
# No turn of a loop is late by less than a few microseconds and not at all; one that were would be waited out turn by turn.
lateness = st.lists(st.one_of(st.just(0.0), st.floats(1e-5, 0.004)), min_size=1, max_size=7)
gaps = st.lists(st.one_of(st.just(0.0), st.floats(0, 2)), min_size=2, max_size=80)


def slots(limiter: Limiter, clock: LateClock, gaps: list[float]) -> list[float]:
    """When each of several callers was let through, who came with these gaps between them."""

    async def come() -> list[float]:
        times = []
        for gap in gaps:
            if gap:
                await clock.sleep(gap)
            await limiter.wait()
            times.append(clock.monotonic())
        return times

    return asyncio.run(come())


def most_above(times: list[float], rate: float, burst: int) -> float:
    """By how many slots the fullest stretch of time exceeds rate x T + burst."""
    return max(
        last - first + 1 - rate * (times[last] - times[first]) - burst
        for first in range(len(times))
        for last in range(first, len(times))
    )


@given(rates, bursts, lateness, gaps)
def test_no_stretch_of_time_has_more_than_rate_and_burst_allow(
    rate: float, burst: int, late: list[float], gaps: list[float]
) -> None:
    clock = LateClock(late)
    assert most_above(slots(Limiter(rate, burst, clock), clock, gaps), rate, burst) <= 1e-6


@given(st.floats(0.1, 200), bursts, st.integers(2, 60))
def test_a_caller_in_a_hurry_gets_all_the_rate_there_is(rate: float, burst: int, callers: int) -> None:
    clock = LateClock([0.0])
    times = slots(Limiter(rate, burst, clock), clock, [0.0] * callers)
    assert times[-1] - 1000.0 <= max(0, callers - burst) / rate + 1e-3


@given(rates, bursts, st.floats(0.01, 5))
def test_a_pause_lets_nobody_through_and_saves_up_no_burst(rate: float, burst: int, pause_s: float) -> None:
    clock = LateClock([0.0])
    limiter = Limiter(rate, burst, clock)
    limiter.pause(pause_s)
    times = slots(limiter, clock, [0.0] * 20)
    assert times[0] >= 1000.0 + pause_s - 1e-9
    assert most_above(times, rate, 1) <= 1e-3


@given(st.floats(10, 1000), st.floats(0.01, 0.9), bursts, lateness)
def test_slowed_down_it_spaces_slots_evenly(rate: float, share: float, burst: int, late: list[float]) -> None:
    clock = LateClock(late)
    limiter = Limiter(rate, burst, clock)
    limiter.set_rate(rate * share)
    assert most_above(slots(limiter, clock, [0.0] * 30), rate * share, 1) <= 1e-6


def test_without_a_limit_nobody_waits() -> None:
    clock = LateClock([0.0])
    assert slots(Limiter(None, 1, clock), clock, [0.0] * 100) == [1000.0] * 100
