from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.rules.doubts import (
    Found,
    FoundMore,
    GiveUp,
    Inquiry,
    LookUpAgain,
    SendAgain,
    first_lookup_at,
    judge,
)


def test_one_job_of_the_name_is_found_at_once() -> None:
    assert judge(Inquiry(0.0, 1), ["j"], now=1.0, settle_s=15, may_resend=True) == Found("j")


def test_the_same_job_listed_twice_is_one_job() -> None:
    assert judge(Inquiry(0.0, 1), ["j", "j"], now=1.0, settle_s=15, may_resend=True) == Found("j")


def test_two_jobs_of_the_name_are_a_conflict() -> None:
    assert judge(Inquiry(0.0, 1), ["k", "j"], now=99.0, settle_s=15, may_resend=True) == FoundMore(("j", "k"))


def test_nothing_found_before_the_settle_time_is_looked_up_again() -> None:
    assert isinstance(judge(Inquiry(0.0, 5), [], now=14.0, settle_s=15, may_resend=True), LookUpAgain)


def test_one_lookup_is_not_enough_even_after_the_settle_time() -> None:
    assert isinstance(judge(Inquiry(0.0, 1), [], now=100.0, settle_s=15, may_resend=True), LookUpAgain)


def test_nothing_found_after_settling_and_two_lookups_may_be_sent_again() -> None:
    assert judge(Inquiry(0.0, 2), [], now=15.0, settle_s=15, may_resend=True) == SendAgain()


def test_without_attempts_left_it_is_given_up_as_unknown() -> None:
    assert isinstance(judge(Inquiry(0.0, 2), [], now=15.0, settle_s=15, may_resend=False), GiveUp)


def test_a_lookup_that_keeps_failing_ends_as_unknown() -> None:
    assert isinstance(judge(Inquiry(0.0, 0), None, now=599.0, settle_s=15, may_resend=True), LookUpAgain)
    assert isinstance(judge(Inquiry(0.0, 0), None, now=601.0, settle_s=15, may_resend=True), GiveUp)


@given(st.floats(0, 1e4), st.floats(0.1, 120), st.integers(0, 9), st.one_of(st.none(), st.just([])), st.booleans())
def test_nothing_is_sent_again_early(
    now: float, settle_s: float, lookups: int, jobs: list[str] | None, may: bool
) -> None:
    judgement = judge(Inquiry(0.0, lookups), jobs, now=now, settle_s=settle_s, may_resend=may)
    if isinstance(judgement, SendAgain):
        assert now >= settle_s
        assert lookups >= 2
        assert jobs == []
    if isinstance(judgement, LookUpAgain):
        assert judgement.at > now


def test_the_first_lookup_comes_soon() -> None:
    assert first_lookup_at(100.0, 15.0) == 102.0
