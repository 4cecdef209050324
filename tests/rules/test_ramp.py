"""How many servers may be in flight while nobody knows yet."""

from __future__ import annotations

from math import exp

from hypothesis import given
from hypothesis import strategies as st

from runner.rules.ramp import allowance
from runner.rules.sequential import Evidence
from runner.spec.rollout.model import SequentialRule

RULE = SequentialRule(healthy=0.01, bad=0.05, false_alarm=0.01, miss=0.05)


def test_a_fleet_without_failures_doubles_what_is_known_in_every_generation() -> None:
    evidence, sizes = Evidence(RULE), []
    for _ in range(8):
        sizes.append(allowance(evidence))
        evidence.add(0, sizes[-1])
    assert sizes == [1, 2, 4, 8, 16, 32, 64, 128]


def test_other_growths_are_as_fast_as_they_say() -> None:
    evidence = Evidence(RULE)
    evidence.add(0, 99)
    assert [allowance(evidence, growth) for growth in (1.5, 2.0, 5.0)] == [50, 100, 397]


@given(st.integers(0, 5), st.integers(0, 2000))
def test_a_failure_slows_it_and_a_success_never_does(abnormal: int, normal: int) -> None:
    evidence = Evidence(RULE)
    evidence.add(abnormal, normal)
    before = allowance(evidence)
    evidence.add(0, 1)
    after = allowance(evidence)
    evidence.add(1, 0)
    assert after >= before >= 1
    assert after >= allowance(evidence) >= 1


def test_evidence_against_the_change_divides_it_by_the_square_of_its_odds() -> None:
    evidence = Evidence(RULE)
    evidence.add(5, 150)
    odds = exp(evidence.log_alarm)
    assert 1.5 < odds < 10.0
    assert allowance(evidence, 3.0) == 1 + int(2.0 * 150 / odds**2)


def test_a_failure_early_costs_more_than_one_late() -> None:
    early, late = Evidence(RULE), Evidence(RULE)
    early.add(1, 3)
    late.add(1, 999)
    assert allowance(early) == 1
    assert allowance(late) == 1000
