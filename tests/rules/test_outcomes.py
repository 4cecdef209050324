from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model import Job, Outcome, Task
from runner.rules.outcomes import FINAL_TASK, JobEnding, Outcomes, is_finished, known_outcomes, outcomes_of


def job(*tasks: tuple[str, str | None], status: str | None = "FINISHED") -> Job:
    rows = tuple(Task("t", server, None, state, None, None, None, None) for server, state in tasks)
    return Job("j", "n", None, status, None, None, None, None, None, rows)


def test_success_skip_and_failure_are_read_from_tasks() -> None:
    read = job(("a", "SUCCESS"), ("b", "FAILED"), ("c", "SKIPPED"))
    assert Outcomes.of_job(["a", "b", "c"], read, JobEnding.FINISHED).letters == "sfk"


def test_a_finished_job_with_a_missing_task_is_not_finished() -> None:
    assert not is_finished(job(("a", "SUCCESS")), ["a", "b"])


def test_a_finished_job_with_a_task_still_processing_is_not_finished() -> None:
    assert not is_finished(job(("a", "SUCCESS"), ("b", "PROCESSING")), ["a", "b"])


def test_an_unknown_task_status_is_not_final() -> None:
    assert known_outcomes(job(("a", "ALMOST"))) == {"a": None}


def test_an_unknown_job_status_is_not_final_even_with_every_task_done() -> None:
    assert not is_finished(job(("a", "SUCCESS"), status="WHATEVER"), ["a"])


def test_open_servers_of_a_late_job_are_timed_out_and_the_others_keep_their_outcome() -> None:
    assert Outcomes.of_job(["a", "b"], job(("a", "SUCCESS"), status="PROCESSING"), JobEnding.TIMED_OUT).letters == "st"


def test_open_servers_of_a_lost_job_are_unknown() -> None:
    assert Outcomes.of_job(["a", "b"], None, JobEnding.LOST).letters == "uu"


def test_a_success_does_not_hide_a_failure_of_the_same_server() -> None:
    assert Outcomes.of_job(["a"], job(("a", "FAILED"), ("a", "SUCCESS")), JobEnding.FINISHED).letters == "f"


@given(
    st.lists(st.sampled_from(["SUCCESS", "FAILED", "SKIPPED", "PROCESSING", "ODD", None]), max_size=8),
    st.sampled_from(JobEnding),
)
def test_every_server_gets_exactly_one_outcome(statuses: list[str | None], ending: JobEnding) -> None:
    servers = [f"s{i}" for i in range(len(statuses) + 1)]  # the last one has no task
    outcomes = Outcomes.of_job(servers, job(*zip(servers, statuses, strict=False)), ending)
    assert len(outcomes) == len(servers)
    assert list(outcomes)[-1] is ending.open_outcome


@given(st.lists(st.sampled_from(Outcome)))
def test_outcomes_are_written_and_read_as_they_are(outcomes: list[Outcome]) -> None:
    written = outcomes_of("".join(Outcomes.all(outcome, 1).letters for outcome in outcomes))
    assert list(outcomes_of(written.letters)) == outcomes
    assert written.counts == Counter(outcomes)
    assert all(written.count(outcome) == outcomes.count(outcome) for outcome in Outcome)


def test_a_job_is_over_once_it_says_so_and_every_server_has_a_final_task() -> None:
    assert is_finished(job(("a", "SUCCESS"), ("b", "FAILED"), ("c", "SKIPPED")), ["a", "b", "c"])
    assert is_finished(job(("a", "SUCCESS"), ("b", "PROCESSING")), ["a"])  # what is none of ours does not count
    assert not is_finished(job(("a", "SUCCESS"), status="PROCESSING"), ["a"])
    assert not is_finished(job(("a", "SUCCESS"), status=None), ["a"])


@pytest.mark.parametrize("other", ["SUCCESS", "FAILED", "SKIPPED"])
def test_a_server_with_a_task_that_is_not_final_has_no_outcome_whatever_its_other_task_says(other: str) -> None:
    assert known_outcomes(job(("a", other), ("a", "PROCESSING"))) == {"a": None}
    assert known_outcomes(job(("a", "PROCESSING"), ("a", other))) == {"a": None}
    assert not is_finished(job(("a", other), ("a", "PROCESSING")), ["a"])


def test_of_several_tasks_of_a_server_the_worst_counts() -> None:
    ranks = ["FAILED", "SKIPPED", "SUCCESS"]
    for place, worse in enumerate(ranks):
        for better in ranks[place:]:
            assert known_outcomes(job(("a", better), ("a", worse))) == {"a": FINAL_TASK[worse]}


def test_failed_timed_out_and_unknown_are_abnormal_and_nothing_else_is() -> None:
    assert outcomes_of("sfktunx").abnormal == 3
    assert [Outcomes.all(outcome, 2).abnormal for outcome in Outcome if outcome.is_abnormal] == [2, 2, 2]
    assert outcomes_of("").abnormal == outcomes_of("skxn").abnormal == 0


def test_counts_are_of_what_there_is() -> None:
    assert outcomes_of("").counts == {}
    assert outcomes_of("sss").counts == {Outcome.SUCCEEDED: 3}
    assert outcomes_of("fss").counts == {Outcome.FAILED: 1, Outcome.SUCCEEDED: 2}
