"""Whether a credential that was refused may be tried again: by whom, with which secret, and after how long."""

from __future__ import annotations

import pytest

from runner.rules.refused_calls import (
    LONGEST_WAIT_S,
    LOOK_S,
    PROBE_AFTER_S,
    Asker,
    Identity,
    RefusedCalls,
    after_giving_back,
    after_refusal,
    in_words,
    next_call_in,
)

NOW = 100_000.0
ME, SOMEBODY = Asker("me", "secret"), Asker("somebody", "secret")


def refused(times: int, asker: Asker = ME, last_at: float = NOW) -> RefusedCalls:
    known = RefusedCalls()
    for _ in range(times):
        known = after_refusal(known, asker, last_at)
    return known


@pytest.mark.parametrize(("times", "may_call"), [(0, True), (1, True), (2, True), (3, False), (9, False)])
def test_three_calls_in_a_row_may_be_refused(times: int, may_call: bool) -> None:
    assert next_call_in(refused(times), ME, NOW) == (0.0 if may_call else None)


def test_another_secret_is_a_reason_to_try_and_so_is_a_person() -> None:
    known = refused(3)
    assert next_call_in(known, ME._replace(secret="another"), NOW) == 0.0
    assert next_call_in(known, ME._replace(insists=True), NOW) == 0.0
    assert next_call_in(known, SOMEBODY, NOW) is None
    assert next_call_in(refused(2), ME._replace(limit=2), NOW) is None


@pytest.mark.parametrize(
    ("times", "wait_s"), [(3, 900.0), (4, 1800.0), (5, 3600.0), (9, 57_600.0), (10, 86_400.0), (99, 86_400.0)]
)
def test_one_call_is_made_after_a_quarter_of_an_hour_and_then_after_twice_as_long_up_to_a_day(
    times: int, wait_s: float
) -> None:
    known = refused(times)
    assert next_call_in(known, ME, NOW + wait_s - 0.1) is None
    assert next_call_in(known, ME, NOW + wait_s) == 0.0
    assert (PROBE_AFTER_S, LONGEST_WAIT_S) == (900.0, 86_400.0)


def test_a_clock_that_was_set_back_may_be_what_was_wrong() -> None:
    assert next_call_in(refused(3), ME, NOW - 1.0) == 0.0


def test_one_process_at_a_time_calls() -> None:
    known = refused(1)._replace(turn="somebody", turn_until=NOW + 30.0)
    assert next_call_in(known, ME, NOW) == LOOK_S
    assert next_call_in(known, SOMEBODY, NOW) == 0.0
    assert next_call_in(known, ME, NOW + 30.1) == 0.0  # it is not waited for any longer
    assert next_call_in(known, ME, NOW - 3600.0) == 0.0  # a clock that was wrong noted that


def test_a_turn_ends_with_its_own_call_and_with_no_other() -> None:
    known = RefusedCalls(turn="me", turn_until=NOW + 30.0)
    assert after_refusal(known, ME, NOW)[-2:] == ("", 0.0)
    assert after_refusal(known, SOMEBODY, NOW)[-2:] == ("me", NOW + 30.0)
    assert after_giving_back(known, ME)[-2:] == ("", 0.0)
    assert after_giving_back(known, SOMEBODY) == known


def test_what_is_known_counts_from_the_first_of_a_row() -> None:
    known = after_refusal(after_refusal(RefusedCalls(), ME, NOW), ME, NOW + 5.0, calls=4)
    assert known[:5] == (2, 5, NOW, NOW + 5.0, "secret")


def test_a_person_is_told_how_often_since_when_and_what_follows() -> None:
    said = in_words(RefusedCalls(3, 5, 0.0, 60.0, "s"), Identity("key AK", words="the access key"))
    assert said.startswith(
        "the service refused the access key 3 times in a row (5 calls in all), first at 1970-01-01 00:00:00 UTC. "
        "Accounts are locked after about five, so it is not tried again before 1970-01-01 00:16:00 UTC"
    )
    assert "1 " not in in_words(RefusedCalls(1, 1, 0.0, 0.0), Identity("x")).partition(",")[0]
