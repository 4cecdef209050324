"""How long is left: never less for more work, and the spread is around what is likely."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.rules.durations import Durations
from runner.rules.time_left import PartLeft, time_left

numbers = st.integers(0, 10_000)
seconds = st.floats(0, 1e5)


def seen(*durations_s: float) -> Durations:
    found = Durations()
    for duration_s in durations_s:
        found.add(duration_s)
    return found


def quantile(durations: Durations, share: float) -> float:
    return durations.quantile(share) or 0.0


@given(st.lists(seconds, min_size=1, max_size=30), numbers, numbers, seconds, st.floats(0.01, 1e4))
def test_more_work_takes_no_less_and_the_spread_is_in_order(
    durations_s: list[float], to_start: int, jobs: int, pauses_s: float, pace: float
) -> None:
    durations = seen(*durations_s)
    parts = [PartLeft(to_start, jobs, 0.0, pauses_s)]
    left = time_left(parts, [lambda share: quantile(durations, share)], pace)
    more = time_left([*parts, PartLeft(1, 1)], [lambda share: quantile(durations, share)], pace)
    assert pauses_s <= left.low <= left.likely <= left.high
    assert more.likely >= left.likely


def test_the_last_of_many_jobs_is_within_the_spread_as_often_as_it_says() -> None:
    rng = Random(1)
    durations = seen(*(rng.uniform(50.0, 150.0) for _ in range(200)))
    left = time_left([PartLeft(0, 5)], [lambda share: quantile(durations, share)], 1.0)
    last = [max(rng.uniform(50.0, 150.0) for _ in range(5)) for _ in range(2000)]
    assert sum(left.low <= one <= left.high for one in last) / len(last) == pytest.approx(0.8, abs=0.06)


def test_what_began_together_long_ago_is_nearly_over() -> None:
    left = time_left([PartLeft(0, 3, youngest_s=50.0)], [lambda _: 60.0], 1.0)
    assert left == (10.0, 10.0, 10.0)
    assert time_left([PartLeft(0, 3, youngest_s=500.0)], [lambda _: 60.0], 1.0) == (0.0, 0.0, 0.0)
