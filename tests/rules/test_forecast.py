"""What a plan would do to a fleet, in means over simulated campaigns."""

from __future__ import annotations

import random
import time
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.rules.forecast import ForecastRules, binomial, fate, forecast
from runner.spec.rollout.model import SequentialRule

RULE = SequentialRule(healthy=0.01, bad=0.05, false_alarm=0.01, miss=0.05)
RATES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 0.8)

limits = st.one_of(st.none(), st.integers(1, 200))
some_rules = st.builds(
    ForecastRules,
    waves=st.lists(st.integers(1, 300), min_size=1, max_size=5).map(tuple),
    servers_per_request=st.integers(1, 40),
    concurrency=st.one_of(st.none(), st.integers(1, 20)),
    max_abnormal=limits,
    max_unavailable=limits,
    sequential=st.just(RULE),
    growth=st.one_of(st.none(), st.floats(1.5, 6.0)),
    exact=st.booleans(),
)


@given(some_rules, st.floats(0, 1), st.integers())
def test_limits_hold_whatever_happens(rules: ForecastRules, rate: float, seed: int) -> None:
    one = fate(rules, rate, random.Random(seed))
    assert 0 <= one.harmed <= one.touched <= sum(rules.waves)
    assert one.stopped == (one.touched < sum(rules.waves))
    for limit in (rules.max_abnormal, rules.max_unavailable):
        assert limit is None or one.harmed <= limit


@given(some_rules, st.integers())
def test_a_fleet_without_failures_is_done(rules: ForecastRules, seed: int) -> None:
    one = fate(rules, 0.0, random.Random(seed))
    room = min(limit or 10_000 for limit in (rules.max_abnormal, rules.max_unavailable))
    if room >= rules.servers_per_request:
        assert (one.harmed, one.stopped) == (0, False)


def test_the_same_seed_gives_the_same_forecast() -> None:
    rules = ForecastRules((10, 90, 900), sequential=RULE)
    assert forecast(rules, 0.02, 50, random.Random(3)) == forecast(rules, 0.02, 50, random.Random(3))


def test_without_rules_the_share_that_fails_is_harmed_and_nothing_stops() -> None:
    found = forecast(ForecastRules((1000,)), 0.1, 2000, random.Random(1))
    assert found.mean_harmed == pytest.approx(100, abs=1)
    assert (found.stop_chance, found.mean_duration) == (0, 1)


def test_duration_counts_rounds_also_where_they_are_taken_together() -> None:
    rules = ForecastRules((10_000,), servers_per_request=2, concurrency=5)
    assert forecast(rules, 0.0, 1, random.Random(1)).mean_duration == pytest.approx(1000, rel=0.02)


def test_taking_rounds_together_changes_little_and_not_for_the_better() -> None:
    coarse, exact = (
        forecast(ForecastRules((20_000,), concurrency=20, sequential=RULE, exact=exact), 0.05, 1000, random.Random(1))
        for exact in (False, True)
    )
    assert 0.95 < coarse.mean_harmed / exact.mean_harmed < 1.25


def test_a_ramp_needs_a_rule_for_its_evidence() -> None:
    with pytest.raises(ValueError, match="sequential"):
        ForecastRules((10,), growth=2.0)


def test_seven_rates_for_a_hundred_thousand_servers_take_less_than_a_few_seconds() -> None:
    rules, began = ForecastRules((10, 1000, 98_990), concurrency=50, sequential=RULE), time.process_time()
    assert len([forecast(rules, rate, 300, random.Random(1)) for rate in RATES]) == len(RATES)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("trials", "rate"), [(1, 0.3), (20, 0.01), (500, 0.05), (100, 0.9), (1000, 0.5), (100_000, 0.1)]
)
def test_binomial_numbers_have_their_mean_and_spread(trials: int, rate: float) -> None:
    chance = random.Random(5)
    drawn = [binomial(trials, rate, chance) for _ in range(4000)]
    mean, spread = trials * rate, sqrt(trials * rate * (1 - rate))
    found = sum(drawn) / len(drawn)
    assert found == pytest.approx(mean, abs=4 * spread / sqrt(len(drawn)))
    assert sqrt(sum((one - mean) ** 2 for one in drawn) / len(drawn)) == pytest.approx(spread, rel=0.1)
    assert {binomial(trials, 0.0, chance), trials - binomial(trials, 1.0, chance)} == {0}
