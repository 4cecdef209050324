"""How the rate of a lane follows its answers: whatever they are, it stays within what was asked for, obeys, and goes on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.hidden_limits import Bucket, Fixed, HiddenLimit, Sliding, Unlimited
from benchmarks.pace import allowed, play, share
from benchmarks.pace_rules import Own
from benchmarks.pace_scenarios import Scenario
from runner.rules.answers import Throttle
from runner.rules.learning import Learner

ROUND_TRIP_S = 0.05
SILENT = Throttle()
asked_rates = st.one_of(st.just(math.inf), st.floats(0.01, 2000))
throttles = st.builds(
    Throttle,
    limit=st.one_of(st.none(), st.integers(-1, 5000)),
    period_s=st.one_of(st.none(), st.sampled_from([0.0, -1.0, 1.0, 60.0, 3600.0])),
    retry_after_s=st.one_of(st.none(), st.floats(0, 600)),
)
answers = st.lists(st.one_of(st.none(), throttles), min_size=1, max_size=120)


def calls(learner: Learner, answer_of: Callable[[int], Throttle | None], most: int) -> Iterator[float]:
    """When each of so many calls leaves that are made one after the other, as soon as the rate and the pauses allow."""
    now = 100.0
    for number in range(most):
        now = max(now, learner.opens_at(0))
        sent_at = now
        learner.sent(now)
        yield now
        now += ROUND_TRIP_S
        answer = answer_of(number)
        if answer is None:
            learner.passed(sent_at, now)
        else:
            learner.refused(answer, sent_at, now)
        now = max(now, sent_at + (0.0 if math.isinf(learner.rate) else 1 / learner.rate))


@given(asked_rates, answers)
def test_the_rate_is_never_zero_nor_above_what_is_asked_for(asked: float, story: list[Throttle | None]) -> None:
    learner = Learner(asked)
    for _ in calls(learner, lambda number: story[number % len(story)], 4 * len(story)):
        assert 0 < learner.rate <= asked
    learned = learner.learned
    assert learned is None or 0 < learned < asked


@given(asked_rates, answers, st.floats(1, 300))
def test_a_retry_after_is_obeyed_in_full_up_to_the_longest_pause(
    asked: float, story: list[Throttle | None], longest_s: float
) -> None:
    learner, until = Learner(asked, longest_s), 0.0
    for number, now in enumerate(calls(learner, lambda number: story[number], len(story))):
        assert now >= until - 1e-6
        throttle = story[number]
        if throttle is not None and throttle.retry_after_s:
            until = max(until, now + ROUND_TRIP_S + min(throttle.retry_after_s, longest_s))


@given(asked_rates, throttles)
def test_a_service_that_refuses_everything_is_hardly_called(asked: float, throttle: Throttle) -> None:
    learner = Learner(asked)
    times = list(calls(learner, lambda _: throttle, 100))
    assert times[-1] - times[30] >= 30 * 60


@given(asked_rates, throttles, st.integers(1, 60))
def test_what_was_refused_for_long_gets_all_it_asks_for_once_nothing_is_refused_any_more(
    asked: float, throttle: Throttle, refused: int
) -> None:
    learner = Learner(asked, longest_pause_s=10.0)
    until = refused + 6000
    times = list(calls(learner, lambda number: throttle if number < refused else None, until))
    if not throttle.limit or throttle.limit < 0:
        assert learner.rate >= 0.9 * min(asked, 200.0)
    assert all(later - earlier <= 3700 for earlier, later in pairwise(times))


@given(st.floats(0.1, 1000))
def test_one_refused_call_slows_nothing_down(asked: float) -> None:
    learner = Learner(asked)
    learner.refused(SILENT, 10.0, 10.05)
    assert learner.rate == asked
    assert learner.opens_at(0) <= 10.05


@given(st.floats(5, 1000), st.integers(4, 30))
def test_calls_that_are_refused_together_stop_all_for_a_round_trip(asked: float, refused: int) -> None:
    learner = Learner(asked)
    for number in range(refused):
        learner.refused(SILENT, 10.0 + number * 1e-3, 10.05 + number * 1e-3)
    assert learner.opens_at(0) > 10.05


def test_a_named_window_is_filled_and_never_overfilled() -> None:
    """The burst is counted: the next calls leave when the first ones leave the window."""
    limit = Sliding(10, 60, counts_refused=True)
    refused, learner, now = 0, Learner(10.0), 0.0
    passed = []
    while now < 600:
        now = max(now, learner.opens_at(0))
        learner.sent(now)
        if limit.take(now):
            passed.append(now)
            learner.passed(now, now + ROUND_TRIP_S)
        else:
            refused += 1
            learner.refused(Throttle(10, 60.0), now, now + ROUND_TRIP_S)
        now += max(ROUND_TRIP_S, 1 / learner.rate)
    assert refused <= 3
    assert len(passed) >= 0.97 * 100


LIMITS: dict[str, tuple[Callable[[], HiddenLimit], bool, float, float]] = {
    "10 a second, named": (lambda: Sliding(10, 1), True, 0.0, 0.95),
    "10 a second, silent": (lambda: Sliding(10, 1), False, 0.0, 0.93),
    "10 a second, silent, refused calls count": (lambda: Sliding(10, 1, counts_refused=True), False, 0.0, 0.9),
    "a bucket": (lambda: Bucket(20, 20), False, 0.0, 0.95),
    "a bucket, and chance": (lambda: Bucket(20, 20), False, 0.02, 0.85),
    "a window of the clock": (lambda: Fixed(20, 1), False, 0.0, 0.93),
    "no limit, and chance": (Unlimited, False, 0.05, 0.85),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_it_gets_nearly_all_that_is_allowed_and_is_hardly_refused(limit: str) -> None:
    make, says, noise, at_least = LIMITS[limit]
    scenario = Scenario(limit, make, 30.0, 10, noise, says)
    possible = allowed(scenario)
    for seed in (1, 2):
        played = play(scenario, Own, seed)
        assert share(played.passed_at, possible, 120.0, 420.0, noise) >= at_least
        assert played.refused <= 0.06 * len(played.passed_at)
