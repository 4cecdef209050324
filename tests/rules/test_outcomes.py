from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.model import Job, Outcome, Task
from runner.rules.outcomes import LETTER, OUTCOME, Ending, is_finished, known_outcomes, outcome_letters


def job(*tasks: tuple[str, str | None], status: str | None = "FINISHED") -> Job:
    rows = tuple(Task("t", server, None, state, None, None, None, None) for server, state in tasks)
    return Job("j", "n", None, status, None, None, None, None, None, rows)


def test_success_skip_and_failure_are_read_from_tasks() -> None:
    read = job(("a", "SUCCESS"), ("b", "FAILED"), ("c", "SKIPPED"))
    assert outcome_letters(["a", "b", "c"], read, Ending.FINISHED) == "sfk"


def test_a_finished_job_with_a_missing_task_is_not_finished() -> None:
    assert not is_finished(job(("a", "SUCCESS")), ["a", "b"])


def test_a_finished_job_with_a_task_still_processing_is_not_finished() -> None:
    assert not is_finished(job(("a", "SUCCESS"), ("b", "PROCESSING")), ["a", "b"])


def test_an_unknown_task_status_is_not_final() -> None:
    assert known_outcomes(job(("a", "ALMOST"))) == {"a": None}


def test_an_unknown_job_status_is_not_final_even_with_every_task_done() -> None:
    assert not is_finished(job(("a", "SUCCESS"), status="WHATEVER"), ["a"])


def test_open_servers_of_a_late_job_are_timed_out_and_the_others_keep_their_outcome() -> None:
    assert outcome_letters(["a", "b"], job(("a", "SUCCESS"), status="PROCESSING"), Ending.TIMED_OUT) == "st"


def test_open_servers_of_a_lost_job_are_unknown() -> None:
    assert outcome_letters(["a", "b"], None, Ending.LOST) == "uu"


def test_a_success_does_not_hide_a_failure_of_the_same_server() -> None:
    assert outcome_letters(["a"], job(("a", "FAILED"), ("a", "SUCCESS")), Ending.FINISHED) == "f"


@given(
    st.lists(st.sampled_from(["SUCCESS", "FAILED", "SKIPPED", "PROCESSING", "ODD", None]), max_size=8),
    st.sampled_from(Ending),
)
def test_every_server_gets_exactly_one_letter(statuses: list[str | None], ending: Ending) -> None:
    servers = [f"s{i}" for i in range(len(statuses) + 1)]  # the last one has no task
    letters = outcome_letters(servers, job(*zip(servers, statuses, strict=False)), ending)
    assert len(letters) == len(servers)
    assert OUTCOME[letters[-1]] is ending.open_outcome


def test_letters_and_outcomes_are_one_to_one() -> None:
    assert {OUTCOME[LETTER[outcome]] for outcome in Outcome} == set(Outcome)
