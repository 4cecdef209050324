"""How long jobs take, from those seen so far."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.rules.durations import Durations, likely_duration


@given(st.lists(st.floats(0, 1e5), min_size=1, max_size=300), st.floats(0, 1))
def test_quantiles_lie_among_the_recent_samples(samples: list[float], share: float) -> None:
    durations = Durations()
    for sample in samples:
        durations.add(sample)
    assert durations.quantile(share) in samples[-200:]


def test_the_last_two_hundred_jobs_count() -> None:
    durations = Durations()
    durations.add(1.0)
    for _ in range(199):
        durations.add(5.0)
    assert durations.quantile(0.0) == 1.0
    durations.add(5.0)
    assert durations.quantile(0.0) == 5.0


def test_a_quantile_is_what_that_share_of_the_jobs_stay_within() -> None:
    durations = Durations()
    assert durations.quantile(0.5) is None
    for duration_s in (30.0, 10.0, 20.0, 40.0):
        durations.add(duration_s)
    assert [durations.quantile(share) for share in (0.0, 0.2, 0.5, 0.8, 1.0)] == [10.0, 10.0, 30.0, 40.0, 40.0]


@pytest.mark.parametrize(
    ("told_s", "at_work_s", "over_s", "likely_s"),
    [
        (100.0, 0.0, 130.0, 100.0),  # the service says when it ended
        (130.0, 126.0, 130.0, 128.0),  # it says when it was read: it ended between both
        (None, 126.0, 130.0, 128.0),
        (None, 100.0, 130.0, 123.5),  # not long before it was seen to be over
        (130.0, 0.0, 130.0, 123.5),
        (129.8, 129.0, 130.0, 129.5),
    ],
)
def test_a_time_that_may_be_that_of_reading_is_not_believed(
    told_s: float | None, at_work_s: float, over_s: float, likely_s: float
) -> None:
    assert likely_duration(told_s, at_work_s, over_s) == likely_s


def test_how_far_shares_are_apart_is_not_told_from_a_few_jobs() -> None:
    durations = Durations()
    assert durations.between(0.05, 0.95) == 0.0
    durations.add(100.0)
    assert durations.between(0.05, 0.95) == 15.0
    for _ in range(99):
        durations.add(100.0)
    assert durations.between(0.05, 0.95) == 1.5
