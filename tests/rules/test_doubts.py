from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model import Job, JobRow, Task
from runner.rules.answers import Cause, ReadFailed, ServiceError
from runner.rules.doubts import (
    Found,
    FoundMore,
    GiveUp,
    Inquiry,
    LookUpAgain,
    SendAgain,
    about_another,
    first_lookup_at,
    give_up,
    has_other_servers,
    judge,
    read_limits,
)
from runner.rules.names import NameManner


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
    assert give_up(listless, BROKEN, 3.0).reason == "the job list proves nothing (2 reads in 2 s): the backend is down"
    found = Inquiry(0.0, row=ROW).read_failed(MISSING, 1.0)
    assert give_up(found.read_failed(MISSING, 5.0), MISSING, 5.0).reason == (
        "job j has the request's name, listed as DELETED, but the service does not know it (2 reads in 4 s): Job 'j' not found."
    )
    assert give_up(found.read_failed(BROKEN, 5.0), BROKEN, 5.0).reason == (
        "job j has the request's name, listed as DELETED, but could not be read (2 reads in 4 s): the backend is down"
    )


def test_reads_may_fail_for_as_long_as_an_outage_is_waited_for() -> None:
    assert read_limits(15.0, 1800.0).over_s == 1800.0


def test_the_first_lookup_comes_soon() -> None:
    assert first_lookup_at(100.0, 15.0) == 102.0


SINCE = 1000.0  # a doubt begins at some time of day, not at none


@pytest.mark.parametrize(
    ("lookups", "waited", "settle_s", "again_in"),
    [
        (0, 0.0, 15.0, 15.0),
        (2, 14.5, 15.0, 1.0),  # not sooner than a second, for a list is a read
        (1, 15.0, 15.0, 1.0),  # one lookup is not enough, however late
        (1, 500.0, 15.0, 1.0),
        (1, 2.0, 2.0, 0.5),  # where all is settled soon it is looked up soon
        (0, 0.1, 0.4, 0.3),
    ],
)
def test_a_job_that_is_not_listed_is_looked_up_once_it_must_be_and_not_all_the_time(
    lookups: int, waited: float, settle_s: float, again_in: float
) -> None:
    now = SINCE + waited
    found = judge(Inquiry(SINCE, lookups), [], now=now, settle_s=settle_s, may_resend=True)
    assert isinstance(found, LookUpAgain)
    assert found.at - now == pytest.approx(again_in)


@pytest.mark.parametrize("lookups", [2, 3])
def test_the_settle_time_counts_from_when_the_doubt_began(lookups: int) -> None:
    asked = Inquiry(SINCE, lookups)
    assert isinstance(judge(asked, [], now=SINCE + 14.9, settle_s=15.0, may_resend=True), LookUpAgain)
    assert judge(asked, [], now=SINCE + 15.0, settle_s=15.0, may_resend=True) == SendAgain()


def test_each_answered_lookup_counts_once_and_one_that_failed_does_not() -> None:
    asked = Inquiry(SINCE)
    assert asked.lookups == 0
    assert asked.looked_up().read_failed(BROKEN, SINCE + 1.0).looked_up().lookups == 2


@pytest.mark.parametrize(("settle_s", "soon_s"), [(15.0, 2.0), (8.0, 2.0), (4.0, 1.0), (1.0, 0.25), (0.0, 0.0)])
def test_the_first_lookup_comes_within_a_quarter_of_the_settle_time(settle_s: float, soon_s: float) -> None:
    assert first_lookup_at(SINCE, settle_s) == SINCE + soon_s


@pytest.mark.parametrize(
    ("name", "is_ours"), [("hdk-1", True), ("HDK-1", True), ("hdk-2", False), ("", False), (None, False)]
)
def test_an_answer_that_does_not_show_whose_job_it_is_is_no_acceptance(name: str | None, is_ours: bool) -> None:
    job = Job("j", name, None, None, None, None, None, None, None)
    why = about_another(job, sent="hdk-1", server_ids=["a"], manner=NameManner(), is_known=lambda _: False)
    assert (why is None) == is_ours


def test_a_job_of_other_servers_is_not_ours_and_one_whose_tasks_do_not_show_yet_may_be() -> None:
    def job(*servers: str) -> Job:
        tasks = tuple(Task("t", server, None, None, None, None, None, None) for server in servers)
        return Job("j", "n", None, None, None, None, None, None, None, tasks)

    assert not has_other_servers(job(), ["a", "b"])
    assert not has_other_servers(job("a"), ["a", "b"])
    assert not has_other_servers(job("a", "b"), ["a", "b"])
    assert has_other_servers(job("a", "c"), ["a", "b"])
    assert has_other_servers(job("a", "b", "c"), ["a", "b"])
