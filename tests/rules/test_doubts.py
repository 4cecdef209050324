from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model import JobRow
from runner.rules.answers import Cause, ReadFailed, ServiceError
from runner.rules.doubts import (
    Found,
    FoundMore,
    GiveUp,
    Inquiry,
    LookUpAgain,
    SendAgain,
    first_lookup_at,
    give_up,
    judge,
    read_limits,
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


@given(st.floats(0, 1e4), st.floats(0.1, 120), st.integers(0, 9), st.booleans())
def test_nothing_is_sent_again_early(now: float, settle_s: float, lookups: int, may: bool) -> None:
    judgement = judge(Inquiry(0.0, lookups), [], now=now, settle_s=settle_s, may_resend=may)
    if isinstance(judgement, SendAgain):
        assert now >= settle_s
        assert lookups >= 2
    if isinstance(judgement, LookUpAgain):
        assert judgement.at > now


BROKEN = ReadFailed(Cause.BUSY, ServiceError(503, None, "the backend is down", None))
MISSING = ReadFailed(Cause.INVALID, ServiceError(400, "ModelArts.6404", "Job 'j' not found.", None), missing=True)
ROW = JobRow("j", "n", "DELETED", None)


def test_an_answered_lookup_ends_the_row_of_those_that_failed() -> None:
    inquiry = Inquiry(0.0).read_failed(BROKEN, 1.0).read_failed(BROKEN, 3.0)
    assert inquiry.reads.failed == 2
    assert inquiry.looked_up().reads.failed == 0


def test_a_request_given_up_tells_what_was_seen() -> None:
    listless = Inquiry(0.0).read_failed(BROKEN, 1.0).read_failed(BROKEN, 3.0)
    assert (
        give_up(listless, BROKEN, 3.0).reason == "the job list could not be read (2 reads in 2 s): the backend is down"
    )
    found = Inquiry(0.0, row=ROW).read_failed(MISSING, 1.0)
    assert give_up(found.read_failed(MISSING, 5.0), MISSING, 5.0).reason == (
        "job j has the request's name, listed as DELETED, but the service does not know it (2 reads in 4 s): Job 'j' not found."
    )
    assert give_up(found.read_failed(BROKEN, 5.0), BROKEN, 5.0).reason == (
        "job j has the request's name, listed as DELETED, but could not be read (2 reads in 4 s): the backend is down"
    )


@pytest.mark.parametrize(("settle_s", "seconds"), [(0.0, 600.0), (15.0, 600.0), (60.0, 2400.0)])
def test_reads_may_fail_for_forty_settle_times_or_ten_minutes(settle_s: float, seconds: float) -> None:
    assert read_limits(settle_s).over_s == seconds


def test_the_first_lookup_comes_soon() -> None:
    assert first_lookup_at(100.0, 15.0) == 102.0
