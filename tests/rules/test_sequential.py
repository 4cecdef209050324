"""A test that may be looked at after every outcome, and what it may do wrong."""

from __future__ import annotations

import random
from math import exp, log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.rules.sequential import Conclusion, Evidence, fewest_failures
from runner.spec.rollout.model import SequentialRule

DEFAULT = SequentialRule(healthy=0.01, bad=0.05, false_alarm=0.01, miss=0.05)


@st.composite
def rules(draw: st.DrawFn) -> SequentialRule:
    healthy = draw(st.floats(0.001, 0.3))
    return SequentialRule(
        healthy=healthy,
        bad=draw(st.floats(healthy * 1.5, 0.9)),
        false_alarm=draw(st.floats(0.001, 0.2)),
        miss=draw(st.floats(0.001, 0.2)),
    )


counts = st.tuples(st.integers(0, 5), st.integers(0, 200))
stories = st.lists(st.lists(counts, max_size=5), min_size=1, max_size=6)


def told(rule: SequentialRule, story: list[list[tuple[int, int]]]) -> Evidence:
    """Waves of batches of (abnormal, normal)."""
    evidence = Evidence(rule)
    for wave in story:
        evidence.begin_wave()
        for abnormal, normal in wave:
            evidence.add(abnormal, normal)
    return evidence


@given(rules(), stories)
def test_batches_and_their_order_within_a_wave_change_nothing(
    rule: SequentialRule, story: list[list[tuple[int, int]]]
) -> None:
    one = told(rule, story)
    other = told(rule, [[(sum(a for a, _ in wave), sum(n for _, n in wave))] for wave in story])
    back = told(rule, [wave[::-1] for wave in story])
    for same in (other, back):
        assert same.log_alarm == pytest.approx(one.log_alarm, abs=1e-6)
        assert same.log_healthy == pytest.approx(one.log_healthy, abs=1e-6)
        assert (same.abnormal, same.normal) == (one.abnormal, one.normal)


@given(rules(), stories)
def test_a_failure_speaks_against_the_change_and_a_success_for_it(
    rule: SequentialRule, story: list[list[tuple[int, int]]]
) -> None:
    so_far, worse, better = told(rule, story), told(rule, [*story, [(1, 0)]]), told(rule, [*story, [(0, 1)]])
    assert better.log_alarm <= so_far.log_alarm + 1e-9
    assert so_far.log_alarm <= worse.log_alarm + 1e-9
    assert worse.log_healthy < so_far.log_healthy < better.log_healthy


@given(rules(), stories)
def test_no_bet_gains_from_the_next_outcome_at_a_healthy_rate(
    rule: SequentialRule, story: list[list[tuple[int, int]]]
) -> None:
    so_far, worse, better = told(rule, story), told(rule, [*story, [(1, 0)]]), told(rule, [*story, [(0, 1)]])
    for rate in (0.0, rule.healthy / 2, rule.healthy):
        expected = rate * exp(worse.log_alarm - so_far.log_alarm) + (1 - rate) * exp(
            better.log_alarm - so_far.log_alarm
        )
        assert expected <= 1 + 1e-6
    for rate in (rule.bad, (1 + rule.bad) / 2, 1.0):
        expected = rate * exp(worse.log_healthy - so_far.log_healthy) + (1 - rate) * exp(
            better.log_healthy - so_far.log_healthy
        )
        assert expected <= 1 + 1e-6


@given(rules(), st.integers(1, 50))
def test_waves_without_outcomes_spend_nothing(rule: SequentialRule, waves: int) -> None:
    evidence = told(rule, [[]] * waves)
    assert evidence.log_alarm == 0
    evidence.add(1, 2)
    assert evidence.log_alarm == pytest.approx(told(rule, [[(1, 2)]]).log_alarm)


@given(rules(), stories)
def test_bad_is_for_ever(rule: SequentialRule, story: list[list[tuple[int, int]]]) -> None:
    evidence = told(rule, story)
    evidence.add(60, 0)
    if evidence.log_alarm >= evidence.alarm_boundary:
        evidence.add(0, 100_000)
        assert evidence.conclusion is Conclusion.BAD


def test_two_failures_at_the_start_are_enough_for_the_default_rule() -> None:
    assert fewest_failures(DEFAULT) == 2


@given(rules())
def test_fewest_failures_are_enough_and_one_less_is_not(rule: SequentialRule) -> None:
    fewest = fewest_failures(rule)
    assert told(rule, [[(fewest, 0)]]).conclusion is Conclusion.BAD
    assert told(rule, [[(fewest - 1, 0)]]).conclusion is not Conclusion.BAD


def test_a_change_much_worse_than_bad_is_found_sooner_than_by_the_test_against_bad_alone() -> None:
    wald = -log(DEFAULT.false_alarm)
    one = log(DEFAULT.bad / DEFAULT.healthy)
    assert 3 * one > wald > 2 * one
    assert told(DEFAULT, [[(2, 1)]]).conclusion is Conclusion.BAD


def test_after_healthy_a_wave_that_breaks_is_still_found() -> None:
    evidence = told(DEFAULT, [[(0, 1)], [(0, 50)], [(5, 995)]])
    assert evidence.conclusion is Conclusion.HEALTHY
    unguarded = told(DEFAULT, [[(0, 1), (0, 50), (5, 995)]])
    for found in (evidence, unguarded):
        found.begin_wave()
        while found.conclusion is not Conclusion.BAD:
            found.add(3, 7)
    assert evidence.abnormal - 5 <= 6
    # What the same outcomes do where all of the past counts against an alarm.
    single = Evidence(DEFAULT)
    single.add(5, 1046)
    single.add(6, 14)
    assert single.conclusion is not Conclusion.BAD


def test_the_sentence_for_a_person() -> None:
    assert told(DEFAULT, [[(1, 4)]]).describe() == "1 of 5 abnormal: evidence 1.0 of 4.6 that the rate is above 1%"


@pytest.mark.parametrize("rule", [DEFAULT, SequentialRule(0.02, 0.1, 0.05, 0.05), SequentialRule(0.2, 0.4, 0.1, 0.1)])
def test_by_exact_counting_a_healthy_change_is_stopped_no_oftener_than_asked(rule: SequentialRule) -> None:
    """All orders of 300 outcomes in one wave, at the rate `healthy`, looked at after every outcome."""
    alarmed, alive = 0.0, {0: 1.0}
    for outcomes in range(1, 301):
        after: dict[int, float] = {}
        for abnormal, chance in alive.items():
            after[abnormal] = after.get(abnormal, 0.0) + chance * (1 - rule.healthy)
            after[abnormal + 1] = after.get(abnormal + 1, 0.0) + chance * rule.healthy
        bad = {k for k in after if told(rule, [[(k, outcomes - k)]]).conclusion is Conclusion.BAD}
        alarmed += sum(after.pop(k) for k in bad)
        alive = {k: chance for k, chance in after.items() if chance > 1e-15}
    assert rule.false_alarm / 10 < alarmed <= rule.false_alarm


WAVES = [1, 5, 25, 100, 269]


def verdicts(rule: SequentialRule, rate: float, chance: random.Random) -> set[Conclusion]:
    """Every verdict of one campaign, looked at after every outcome until it is BAD."""
    evidence, seen = Evidence(rule), set()
    for wave in WAVES:
        evidence.begin_wave()
        for _ in range(wave):
            failed = chance.random() < rate
            evidence.add(int(failed), int(not failed))
            seen.add(evidence.conclusion)
            if evidence.tripped:
                return seen
    return seen


def test_errors_of_whole_campaigns_stay_within_what_was_asked() -> None:
    campaigns, chance = 1000, random.Random(1)
    alarms = sum(Conclusion.BAD in verdicts(DEFAULT, DEFAULT.healthy, chance) for _ in range(campaigns))
    misses = sum(Conclusion.HEALTHY in verdicts(DEFAULT, DEFAULT.bad, chance) for _ in range(campaigns))
    for errors, asked in ((alarms, DEFAULT.false_alarm), (misses, DEFAULT.miss)):
        assert errors <= campaigns * asked + 3 * sqrt(campaigns * asked * (1 - asked))
