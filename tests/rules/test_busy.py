"""How long a busy server is waited for, and when it is asked for again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.rules.busy import busy_again_at, busy_patience_s


@pytest.mark.parametrize(
    ("longest_s", "patience_s"), [(0.0, 7200.0), (1.0, 120.0), (60.0, 120.0), (180.0, 360.0), (5000.0, 7200.0)]
)
def test_it_is_waited_for_twice_as_long_as_jobs_take_and_no_longer_than_they_may(
    longest_s: float, patience_s: float
) -> None:
    assert busy_patience_s(longest_s, 7200.0) == patience_s


def test_a_job_that_may_take_less_than_two_minutes_is_waited_for_no_longer() -> None:
    assert busy_patience_s(10.0, 30.0) == 30.0


@given(st.floats(1.0, 1e5), st.lists(st.floats(0.0, 1.0), min_size=1))
def test_it_ends_not_before_the_patience_does_and_after_few_requests(patience_s: float, chances: list[float]) -> None:
    now, answers = 1000.0, 1
    while again := busy_again_at(
        1000.0, now, answers=answers, patience_s=patience_s, jitter=chances[answers % len(chances)]
    ):
        assert again > now
        assert again - now <= 450.001
        now, answers = again, answers + 1
    assert now >= 1000.0 + patience_s
    assert 4 <= answers <= 60 + patience_s / 150.0


def test_where_requests_are_sent_slowly_it_is_asked_for_four_times_at_least() -> None:
    again = [busy_again_at(0.0, 9e9, answers=answers, patience_s=100.0, jitter=0.5) for answers in (1, 2, 3, 4)]
    assert again == [9e9 + 5.0] * 3 + [None]


def test_the_last_time_is_when_the_patience_ends_and_not_once_more() -> None:
    assert busy_again_at(0.0, 95.0, answers=9, patience_s=100.0, jitter=1.0) == 100.0
    assert busy_again_at(0.0, 100.0, answers=9, patience_s=100.0, jitter=0.0) is None
