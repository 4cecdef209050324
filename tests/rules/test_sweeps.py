"""When the job list is looked through."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.rules.durations import Durations
from runner.rules.sweeps import AT_A_LIMIT_S, FEW, SHORTEST_S, Candidates, Span, anyway_s, is_predictable, span_of


def durations_of(*seen: float) -> Durations:
    durations = Durations()
    for duration_s in seen:
        durations.add(duration_s)
    return durations


def candidates(count: int, width_s: float = 0.0, age_s: float = 100.0) -> Candidates:
    found = Candidates()
    for _ in range(count):
        found.add(Span(0.0, inf, width_s), age_s)
    return found


def spacing(found: Candidates, pages: int = 1, rate: float | None = 10.0, *, others_wait: bool = False) -> float:
    return found.spacing_s(pages, rate, others_wait=others_wait)


def test_while_nothing_is_known_any_job_may_be_over_after_a_second() -> None:
    assert span_of(Durations()) == Span(1.0, inf, 0.0)


def test_most_jobs_end_within_their_span() -> None:
    span = span_of(durations_of(*(126.0 + each for each in range(109))))
    assert 90.0 < span.begin_s < 126.0
    assert 234.0 < span.end_s < 500.0


def test_after_one_job_others_may_take_half_as_long_or_thrice() -> None:
    span = span_of(durations_of(100.0))
    assert span.begin_s == 50.0
    assert span.end_s > 300.0


def test_jobs_that_all_end_at_once_are_read_and_only_looked_for_after() -> None:
    alike = durations_of(*[6.0, 6.2] * 50)
    assert is_predictable(alike)
    assert span_of(alike).begin_s > 6.2 + 1.0
    assert not is_predictable(durations_of(6.0))
    assert not is_predictable(durations_of(*(4.0 + each / 20 for each in range(100))))


def test_the_rarer_jobs_end_the_further_apart_looks_are() -> None:
    assert spacing(candidates(1000, 10.0)) == SHORTEST_S
    assert spacing(candidates(10, 400.0)) == pytest.approx(2 * spacing(candidates(40, 400.0)))
    assert spacing(candidates(10, 1000.0)) == pytest.approx(13.0)


def test_while_nothing_is_known_looks_are_as_far_apart_as_jobs_are_old() -> None:
    assert spacing(candidates(100, age_s=10.0)) == SHORTEST_S
    assert spacing(candidates(100, age_s=300.0)) == 10.0
    assert spacing(candidates(5, age_s=300.0)) == 20.0


def test_looks_leave_most_of_the_rate_to_reads() -> None:
    assert spacing(candidates(1000, 10.0), pages=40) == 10.0
    assert spacing(candidates(1000, 10.0), pages=40, rate=None) < 10.0


def test_where_others_wait_for_the_end_of_a_few_it_is_looked_more_often() -> None:
    assert spacing(candidates(5, 100.0), others_wait=True) == AT_A_LIMIT_S
    assert spacing(candidates(FEW + 1, 100.0), others_wait=True) >= SHORTEST_S
    assert spacing(candidates(5, 100.0), pages=4, rate=1.0, others_wait=True) == 10.0
    assert spacing(candidates(5, age_s=300.0), others_wait=True) == 300.0 / 400  # nothing is known of when they end
    assert spacing(candidates(5, age_s=30.0), others_wait=True) == AT_A_LIMIT_S


def test_it_is_looked_now_and_then_though_no_job_should_be_over() -> None:
    assert anyway_s(Durations()) == 15.0
    assert anyway_s(durations_of(800.0)) == 100.0


@given(st.lists(st.floats(0, 1e5), max_size=300), st.integers(1, 50), st.integers(1, 2000), st.floats(0.1, 100))
def test_a_span_begins_before_it_ends_and_looks_are_never_at_once(
    seen: list[float], pages: int, count: int, rate: float
) -> None:
    span, found = span_of(durations_of(*seen)), Candidates()
    assert 0.5 <= span.begin_s < span.end_s
    for _ in range(count):
        found.add(span, 10.0)
    assert spacing(found, pages, rate) >= max(SHORTEST_S, pages / (0.4 * rate))
