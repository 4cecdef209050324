"""What the job list shows of a run is told, whatever the journal thinks became of the request."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runner.run import events as e
from runner.run.intake import jobs_may_come, nothing_left
from runner.run.phases import Phase
from runner.run.standing import RequestState, request_state, standings
from runner.run.survey import doubles, recoveries
from tests.conftest import small_plan
from tests.driving import job_of
from tests.engine.rollout_plans import fleet, rollout_plan, step
from tests.run.by_hand import BROKEN, ByHand


def refused(run: ByHand) -> None:
    run.record(e.NotFound(run.now, 0))
    run.refuse(0)


def excluded(run: ByHand) -> None:
    run.record(e.NotFound(run.now, 0))
    run.ask("exclude", "g0-s0")


def given_up(run: ByHand) -> None:
    run.record(e.GivenUp(run.now, 0, "made up"))


def sent_again_later(run: ByHand) -> None:
    run.record(e.NotFound(run.now, 0))


@pytest.mark.parametrize(
    ("became", "phase"),
    [
        (refused, Phase.REFUSED),
        (excluded, Phase.EXCLUDED),
        (given_up, Phase.GIVEN_UP),
        (sent_again_later, Phase.READY),
    ],
)
@pytest.mark.parametrize("jobs", [{"a"}, {"a", "b"}])
def test_a_job_that_is_listed_late_is_told_of_whatever_became_of_its_request(
    became: Callable[[ByHand], None], phase: Phase, jobs: set[str]
) -> None:
    run = ByHand(small_plan((1,), (1,)))
    run.record(e.Intended(run.now, 0), e.InDoubt(run.now, 0, BROKEN))
    became(run)
    assert run.facts.phases[0] is phase
    (found,) = doubles(run.facts, {0: jobs})
    run.record(e.Doubled(run.now, *found))
    assert request_state(run.facts, 0) is RequestState.CONFLICT
    assert all(job in run.facts.errors[0].message for job in jobs)
    assert not doubles(run.facts, {0: jobs})


def test_a_job_that_two_surveys_show_of_a_later_step_was_sent_once() -> None:
    run = ByHand(small_plan((1,), (1, 1)))
    for _ in range(2):
        run.record(e.RunResumed(run.now, "0"))
        for event in recoveries(run.facts, [1], run.now):
            run.record(event)
        run.record(e.Surveyed(run.now, 0))
    assert run.facts.suspected == {1}
    assert run.facts.sent[1] == 1


def test_a_later_step_that_was_suspected_and_made_no_job_is_suspected_again_or_excluded_like_any_other() -> None:
    for by_a_person in (True, False):
        run = ByHand(small_plan((1,), (1, 1)))
        run.record(e.RunResumed(run.now, "0"), e.Suspected(run.now, 1), e.Surveyed(run.now, 0))
        run.do(0, "s")
        run.record(e.NotFound(run.now, 1))
        if by_a_person:
            assert run.ask("exclude", "g0-s0") is None
            assert run.facts.phases[1] is Phase.EXCLUDED
        else:
            assert list(recoveries(run.facts, [1], run.now)) == [e.Suspected(run.now, 1)]


def test_a_request_that_was_suspected_before_its_wave_and_made_no_job_waits_for_it() -> None:
    run = ByHand(rollout_plan({"waves": [{"name": "w"}], "order": "listed"}, fleet(2)))
    run.record(e.RunResumed(run.now, "0"), e.Suspected(run.now, 0), e.NotFound(run.now, 0), e.Surveyed(run.now, 0))
    assert run.facts.phases[0] is Phase.BLOCKED
    run.pass_gates()
    run.do(0, "ss")
    run.pass_gates()
    assert run.facts.rollout is not None
    assert run.facts.rollout.wave is None


def test_what_was_done_after_a_failure_that_the_journal_lost_is_looked_up_though_its_server_is_excluded() -> None:
    """Its lane stopped before anybody could look, so that what is excluded has a job, and that failed."""
    rollout = {"waves": [{"name": "w"}], "order": "listed", "on_failure": {"step": "logs"}}
    run = ByHand(rollout_plan(rollout, fleet(2), steps=[step("upgrade", 1), step("logs", 1)]))
    run.record(e.RunEnded(run.now, "stopped", "x", 5), e.RunResumed(run.now, "0"))
    run.stop_lane(0, watched=True)
    run.ask("exclude", "true")
    run.pass_gates()
    assert run.ask("include", "s000")
    assert not nothing_left(run.facts, run.facts.lanes[0])  # what is excluded must be looked for, too
    run.record(e.RunEnded(run.now, "stopped", "x", 5), e.RunResumed(run.now, "0"))
    number = run.facts.requests.follow_up_number(0, 1)
    (found,) = recoveries(run.facts, [number], run.now)
    run.record(found, e.Surveyed(run.now, 0))
    request = run.facts.requests.place_of(number)
    assert request is not None
    assert run.facts.phases[request] is Phase.IN_DOUBT
    assert [server.id for server in run.facts.servers_of(request)] == ["s001"]
    run.record(e.NotFound(run.now, request))
    assert run.facts.phases[request] is Phase.VOID  # nobody knows of a failure, so nothing is done after it


@pytest.mark.parametrize(("outcomes", "then"), [("s", Phase.VOID), ("t", Phase.VOID), ("f", Phase.READY)])
def test_what_was_done_after_a_failure_that_the_journal_lost_is_done_again_only_if_its_server_failed(
    outcomes: str, then: Phase
) -> None:
    rollout = {"waves": [{"name": "w"}], "order": "listed", "on_failure": {"step": "logs"}}
    run = ByHand(rollout_plan(rollout, fleet(1), steps=[step("upgrade", 1), step("logs", 1)]))
    run.record(e.RunResumed(run.now, "0"))
    number = run.facts.requests.follow_up_number(0, 0)
    run.record(*recoveries(run.facts, [number], run.now), e.Surveyed(run.now, 0))
    run.pass_gates()
    run.do(0, outcomes)
    request = run.facts.requests.place_of(number)
    assert request is not None
    assert run.facts.phases[request] is Phase.IN_DOUBT
    run.record(e.NotFound(run.now, request))
    assert run.facts.phases[request] is then


@pytest.mark.parametrize("then", ["it is looked up", "the run is aborted"])
def test_what_was_excluded_or_left_unsent_before_anybody_could_look_is_in_doubt(then: str) -> None:
    """The end of the journal may be lost that told of a job; an aborted run is not taken up again, and nobody will look."""
    run = ByHand(small_plan((2,), (1,)))
    run.record(e.RunEnded(run.now, "stopped", "x", 5), e.RunResumed(run.now, "0"))
    run.stop_lane(0, watched=True)
    run.ask("exclude", "g0-s0")
    assert [request_state(run.facts, request) for request in (0, 1)] == [RequestState.IN_DOUBT, RequestState.PLANNED]
    if then == "it is looked up":
        run.record(e.RunEnded(run.now, "unusable", "x", 7), e.RunResumed(run.now, "0"), e.Surveyed(run.now, 0))
        assert request_state(run.facts, 0) is RequestState.WITHDRAWN
    else:
        run.ask("abort")
        run.record(e.RunEnded(run.now, "aborted", "x", 4))
        assert request_state(run.facts, 1) is RequestState.IN_DOUBT


def test_servers_that_were_checked_are_told_of_though_one_of_them_came_out_badly_after_all() -> None:
    """The journal lost that its job succeeded, and somebody deleted that job meanwhile."""
    rollout = {"waves": [{"name": "w"}], "order": "listed", "checks": [{"name": "looked", "step": "look"}]}
    run = ByHand(rollout_plan(rollout, fleet(2), steps=[step("upgrade", 1), step("look", 2)]))
    (check,) = (request for request in range(3) if not run.facts.is_main(request))
    run.record(e.RunEnded(run.now, "stopped", "x", 5), e.RunResumed(run.now, "0"), e.WaveStarted(run.now, 0))
    for event in recoveries(run.facts, range(3), run.now):
        run.record(event)
    run.record(e.Surveyed(run.now, 0))
    run.ask("abort")
    run.record(e.Adopted(run.now, check, job_of(check)), e.Settled(run.now, check, "ss", 1.0))
    run.record(e.GivenUp(run.now, 0, "deleted"))
    servers, outcomes = next((s.servers, s.outcomes) for s in standings(run.facts) if s.request == check)
    assert [server.id for server in servers] == ["s000", "s001"]
    assert outcomes.letters == "ss"


def test_after_an_abort_a_job_of_what_the_list_showed_may_come_once_the_one_before_it_is_over() -> None:
    rollout = {"waves": [{"name": "w"}], "order": "listed", "on_failure": {"step": "logs"}}
    run = ByHand(rollout_plan(rollout, fleet(2), steps=[step("upgrade", 1), step("logs", 1)]))
    run.record(e.RunResumed(run.now, "0"))
    run.record(*recoveries(run.facts, [run.facts.requests.follow_up_number(0, 0)], run.now), e.Surveyed(run.now, 0))
    run.pass_gates()
    run.send(0)
    run.record(e.Aborted(run.now, "budget", "made up"))
    (lane,) = run.facts.lanes
    assert jobs_may_come(run.facts, lane)
    run.settle(0, "f")
    assert jobs_may_come(run.facts, lane)  # that is looked up now
    run.record(e.NotFound(run.now, len(run.facts.phases) - 1))
    assert not jobs_may_come(run.facts, lane)
