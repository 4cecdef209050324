"""How a rate follows what the service says of its limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.rules.answers import Throttle
from runner.rules.throttle import Throttling, TooLong, rate_at, throttled, too_long

configured = st.one_of(st.none(), st.floats(0.01, 10_000))
answers = st.builds(
    Throttle,
    limit=st.one_of(st.none(), st.integers(0, 10_000)),
    period_s=st.one_of(st.none(), st.floats(0, 90_000)),
    retry_after_s=st.one_of(st.none(), st.floats(0, 600)),
)
stories = st.lists(st.tuples(answers, st.floats(0, 400), st.floats(0, 30)), min_size=1, max_size=12)


@given(configured, stories)
def test_the_rate_is_never_zero_nor_above_what_was_configured_or_named(
    rate: float | None, story: list[tuple[Throttle, float, float]]
) -> None:
    state, now, named = Throttling(configured=rate), 100.0, []
    for answer, later, age in story:
        now += later
        state, pause_s = throttled(state, answer, now=now, sent_at=now - age)
        if answer.limit and answer.period_s:
            named.append(answer.limit / answer.period_s)
        kept = rate_at(state, now + pause_s)
        assert kept is not None
        assert 0 < kept <= min([rate or float("inf"), *named])
        assert min(answer.retry_after_s or 0.0, 300.0) <= pause_s <= 300.0
        assert pause_s > 0


@given(st.floats(0.1, 1000))
def test_without_numbers_the_rate_is_halved_once_for_what_was_in_flight_together(rate: float) -> None:
    state, _ = throttled(Throttling(configured=rate), Throttle(), now=10.0, sent_at=9.0)
    assert rate_at(state, 10.0) == rate / 2
    state, _ = throttled(state, Throttle(), now=10.5, sent_at=9.5)
    assert rate_at(state, 10.5) == rate / 2
    state, _ = throttled(state, Throttle(), now=11.0, sent_at=10.9)
    assert rate_at(state, 11.0) == rate / 4


@given(st.floats(0.1, 1000))
def test_it_creeps_back_to_all_of_the_configured_rate(rate: float) -> None:
    state, pause_s = throttled(Throttling(configured=rate), Throttle(), now=0.0, sent_at=0.0)
    rates = [rate_at(state, pause_s + second) or 0.0 for second in range(0, 101, 10)]
    assert rates == sorted(rates)
    assert rates[-1] == rate


def test_a_named_limit_is_kept_to_for_good() -> None:
    state, pause_s = throttled(Throttling(configured=50.0), Throttle(limit=10, period_s=60.0), now=0.0, sent_at=0.0)
    assert pause_s == 60.0
    assert (rate_at(state, 10_000.0) or 99) <= 10 / 60


@pytest.mark.parametrize(("limit", "period_s"), [(10, 60.0), (5, 1.0), (1200, 60.0)])
def test_a_named_limit_is_undercut_by_a_twentieth(limit: int, period_s: float) -> None:
    """The network moves requests about: at the limit itself, one more than it fits into a window now and then."""
    named = Throttle(limit=limit, period_s=period_s)
    state, _ = throttled(Throttling(configured=None), named, now=0.0, sent_at=0.0)
    assert rate_at(state, 1e6) == pytest.approx(0.95 * limit / period_s)


def test_without_numbers_the_pause_is_short_and_of_a_long_window_only_so_much_is_waited_out() -> None:
    pauses = [throttled(Throttling(50.0), named, now=0.0, sent_at=0.0)[1] for named in (
        Throttle(), Throttle(retry_after_s=7.0), Throttle(10, 60.0), Throttle(10, 60.0, 90.0), Throttle(10, 86_400.0),
        Throttle(0, 60.0), Throttle(10, 0.0), Throttle(-1, 60.0), Throttle(10, -60.0),
    )]  # fmt: skip
    assert pauses == [2.0, 7.0, 60.0, 90.0, 300.0, 2.0, 2.0, 2.0, 2.0]


def test_a_lane_without_a_rate_creeps_back_to_the_gateways() -> None:
    state, pause_s = throttled(Throttling(configured=None), Throttle(), now=0.0, sent_at=0.0)
    assert [rate_at(state, at) for at in (0.0, pause_s, pause_s + 10.0, 1e6)] == [100.0, 100.0, 120.0, 200.0]


def test_a_rate_is_never_halved_below_one_a_minute_unless_less_is_asked_for() -> None:
    def halved_often(configured: float, named: Throttle = Throttle()) -> float | None:  # noqa: B008  it cannot be changed
        state = Throttling(configured=configured)
        for now in range(40):
            state, _ = throttled(state, named, now=float(now), sent_at=float(now))
        return rate_at(state, 39.0)

    assert halved_often(50.0) == 1 / 60
    assert halved_often(0.001) == 0.001
    assert halved_often(50.0, Throttle(1, 3600.0)) == pytest.approx(0.95 / 3600)


def test_what_is_named_counts_whenever_it_is_said_and_the_lowest_for_good() -> None:
    state, _ = throttled(Throttling(configured=50.0), Throttle(), now=10.0, sent_at=10.0)
    late = Throttle(limit=60, period_s=60.0)
    state, _ = throttled(state, late, now=11.0, sent_at=9.0)  # sent before the rate was halved
    assert rate_at(state, 11.0) == pytest.approx(0.95)
    state, _ = throttled(state, Throttle(limit=600, period_s=60.0), now=12.0, sent_at=9.0)
    assert state.ceiling == pytest.approx(0.95)


def test_a_limit_named_now_that_is_lower_is_taken_as_it_is_and_one_that_is_known_is_halved() -> None:
    named = Throttle(limit=60, period_s=60.0)
    state, _ = throttled(Throttling(configured=50.0), named, now=10.0, sent_at=10.0)
    assert rate_at(state, 10.0) == pytest.approx(0.95)
    state, _ = throttled(state, named, now=20.0, sent_at=20.0)
    assert rate_at(state, 20.0) == pytest.approx(0.475)
    assert state.is_throttled
    assert not Throttling(configured=50.0).is_throttled


def test_the_rise_begins_after_the_longest_pause() -> None:
    state, _ = throttled(Throttling(configured=100.0), Throttle(retry_after_s=60.0), now=0.0, sent_at=0.0)
    state, _ = throttled(state, Throttle(), now=1.0, sent_at=0.0)
    assert [rate_at(state, at) for at in (1.0, 60.0, 61.0)] == [50.0, 50.0, 51.0]


@pytest.mark.parametrize(
    ("throttle", "longest_s", "asked"),
    [
        (Throttle(), 300.0, None),
        (Throttle(retry_after_s=300.0), 300.0, None),
        (Throttle(retry_after_s=300.1), 300.0, TooLong(300.1, quota=False)),
        (Throttle(retry_after_s=300.1), 301.0, None),
        (Throttle(10, 3600.0), 300.0, None),
        (Throttle(1000, 86_400.0, quota=True), 300.0, TooLong(86_400.0, quota=True, is_limit=True)),
        (Throttle(1000, 86_400.0, 60.0, quota=True), 300.0, TooLong(60.0, quota=True)),
        (Throttle(quota=True), 300.0, TooLong(None, quota=True, is_limit=True)),
    ],
)
def test_what_is_not_worth_waiting_for(throttle: Throttle, longest_s: float, asked: TooLong | None) -> None:
    assert too_long(throttle, longest_s) == asked


def test_no_pause_is_longer_than_a_lane_waits() -> None:
    for asked in (Throttle(10, 60.0), Throttle(retry_after_s=40.0), Throttle()):
        state = Throttling(configured=50.0, longest_pause_s=1.5)
        assert throttled(state, asked, now=0.0, sent_at=0.0)[1] == 1.5
