"""What the jobs of a request that was given up say of its servers."""

from __future__ import annotations

import pytest

from runner.model import Job, Task
from runner.rules.outcomes import outcomes_of
from runner.rules.sightings import AtWork, Ended, judge_jobs


def job(job_id: str, status: str | None, **tasks: str) -> Job:
    shown = tuple(Task(None, server, None, told, None, None, None, None) for server, told in tasks.items())
    return Job(job_id, None, None, status, None, None, None, None, None, shown)


def test_a_job_that_is_over_says_how_its_servers_came_out() -> None:
    seen = judge_jobs([job("j", "FINISHED", a="SUCCESS", b="FAILED", c="SKIPPED")], ["c", "a"])
    assert seen == Ended(outcomes_of("ks"))


def test_of_several_jobs_a_success_hides_no_failure() -> None:
    jobs = [job("j", "FINISHED", a="SUCCESS", b="FAILED"), job("k", "FINISHED", a="SKIPPED", b="SUCCESS")]
    assert judge_jobs(jobs, ["a", "b"]) == Ended(outcomes_of("kf"))


@pytest.mark.parametrize(
    ("second", "shows"),
    [
        (job("k", "PROCESSING", a="SUCCESS"), "PROCESSING"),
        (job("k", "DELETED", a="SUCCESS"), "DELETED"),
        (job("k", None, a="SUCCESS"), "no status"),
        (job("k", "FINISHED", a="PROCESSING"), "no final task of all its servers"),
        (job("k", "FINISHED", b="SUCCESS"), "no final task of all its servers"),
    ],
)
def test_a_second_job_that_is_not_over_is_at_work_whatever_the_first_says(second: Job, shows: str) -> None:
    assert judge_jobs([job("j", "FINISHED", a="SUCCESS"), second], ["a"]) == AtWork(f"job k shows {shows}")
