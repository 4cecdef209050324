"""How a rate follows what the service says of its limits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.rules.answers import Throttle
from runner.rules.throttle import Throttling, rate_at, throttled

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
        assert pause_s >= min(answer.retry_after_s or 0.0, 600.0)
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
