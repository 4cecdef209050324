"""How a run went over time: at few moments however long it is, and by the same counts as the report."""

from __future__ import annotations

from itertools import pairwise

from runner.model import Outcome
from runner.report.course import Course
from runner.report.fold import RunReport, fold
from runner.run import events as e
from runner.run.facts import initial_facts
from tests.conftest import small_plan
from tests.made_run import START, made_run


def test_the_last_moment_counts_as_the_report_does() -> None:
    run = made_run()
    report = RunReport(fold(run.plan, run.events), "r")
    last = report.course.moments()[-1]
    counts = {
        outcome.value: count
        for outcome, count in zip(Outcome, last.counts, strict=True)
        if outcome is not Outcome.NOT_STARTED
    }
    assert counts == {name: report.head["counts"][name] for name in counts}
    assert last.at == run.events[-1].at
    limits = [limit for limit in report.head["budget"]["limits"] if limit["scope"] == "campaign"]
    assert [cell.limit.name for cell in report.course.limits] == [limit["name"] for limit in limits]
    assert list(last.used) == [limit["spent"] for limit in limits]


def test_moments_never_go_back_and_what_is_over_never_shrinks() -> None:
    run = made_run(2000)
    moments = RunReport(fold(run.plan, run.events), "r").course.moments()
    assert len(moments) > 100
    for before, after in pairwise(moments):
        assert before.at <= after.at
        assert sum(before.counts) <= sum(after.counts)
        assert sum(after.counts) + after.at_work <= 2000


def test_a_run_of_any_length_has_few_moments_which_reach_from_its_start_to_its_end() -> None:
    for events in (10, 1000, 100_000):
        course = Course(initial_facts(small_plan()))
        for place in range(events):
            course.take(e.Throttled(START + 7.0 * place, 0, e.ServiceError(429, None, "", None), 1.0, None))
        moments = course.moments()
        assert min(events, 200) <= len(moments) <= 402
        assert (moments[0].at, moments[-1].at) == (START, START + 7.0 * (events - 1))
        gaps = [after.at - before.at for before, after in pairwise(moments[:-2])]
        assert max(gaps) <= 2 * min(gaps) + 7.0  # no stretch is left out


def test_a_clock_that_was_set_back_leaves_no_gap_at_the_end() -> None:
    course = Course(initial_facts(small_plan()))
    for at in (START, START + 10, START + 5, START + 20):
        course.take(e.StopRequested(at, ""))
    assert [moment.at for moment in course.moments()] == [START, START + 10, START + 20, START + 20]


def test_of_a_run_that_nothing_is_known_of_there_is_no_moment() -> None:
    assert Course(initial_facts(small_plan())).moments() == []
