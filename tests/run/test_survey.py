"""What the job list shows of a run is told, whatever the journal thinks became of the request."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runner.errors import ImpossibleEvent
from runner.plan.plan import Plan
from runner.run import events as e
from runner.run.by_request import RequestState, by_request, request_state
from runner.run.due import due_exclusions
from runner.run.intake import jobs_may_come, nothing_left
from runner.run.phases import Phase
from runner.run.survey import doubles, recoveries
from tests.conftest import small_plan
from tests.driving import job_of
from tests.engine.rollout_plans import fleet, rollout_plan, step
from tests.run.by_hand import BROKEN, WHO, ByHand


def refused(run: ByHand) -> None:
    run.record(e.NotFound(run.now, 0))
    run.refuse(0)


def excluded(run: ByHand) -> None:
    run.record(e.NotFound(run.now, 0))
    run.ask("exclude", "g0-s0")


def withdraw_all(run: ByHand) -> None:
    for request in range(len(run.facts.requests)):
        if run.facts.phases[request] is Phase.BLOCKED and run.facts.is_main(request):
            run.record(e.Withdrawn(run.now, request, WHO))


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
    """Its lane stopped before anybody could look, so that what is excluded has a job, and that failed.

    Versions before excluded at once.
    """
    rollout = {"waves": [{"name": "w"}], "order": "listed", "on_failure": {"step": "logs"}}
    run = ByHand(rollout_plan(rollout, fleet(2), steps=[step("upgrade", 1), step("logs", 1)]))
    run.record(e.RunEnded(run.now, "stopped", "x", 5), e.RunResumed(run.now, "0"))
    run.stop_lane(0, watched=True)
    withdraw_all(run)
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
    """The end of the journal may be lost that told of a job; an aborted run is not taken up again, and nobody will look.

    Versions before excluded at once.
    """
    run = ByHand(small_plan((2,), (1,)))
    run.record(e.RunEnded(run.now, "stopped", "x", 5), e.RunResumed(run.now, "0"))
    run.stop_lane(0, watched=True)
    run.record(e.Withdrawn(run.now, 0, WHO))
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
    servers, outcomes = next((s.servers, s.outcomes) for s in by_request(run.facts) if s.request == check)
    assert [server.id for server in servers] == ["s000", "s001"]
    assert outcomes.letters == "ss"


def not_looked(plan: Plan) -> ByHand:
    """A run that was resumed, and whose lane cannot be used."""
    run = ByHand(plan)
    run.record(e.RunEnded(run.now, "stopped", "x", 5), e.RunResumed(run.now, "0"))
    run.stop_lane(0, watched=True)
    return run


def looked(run: ByHand, *shown: int) -> None:
    """The next process sees jobs of these numbers in the list."""
    run.record(e.RunEnded(run.now, "unusable", "x", 7), e.RunResumed(run.now, "0"))
    for event in recoveries(run.facts, shown, run.now):
        run.record(event)
    run.record(e.Surveyed(run.now, 0))
    leave_out_due(run)


def leave_out_due(run: ByHand) -> None:
    for event in due_exclusions(run.facts, 0, run.now):
        run.record(event)


def test_who_is_excluded_before_anybody_could_look_is_left_out_as_far_as_nothing_was_sent() -> None:
    run = not_looked(small_plan((4,), (2,)))
    assert run.ask("exclude", "g0-s1") is None
    assert run.ask("exclude", "g0-s3") is None
    assert run.facts.requests.pieces == {}
    looked(run, 0)
    assert run.facts.phases[0] is Phase.IN_DOUBT
    assert {request: set(known.ids) for request, known in run.facts.exclusions.items()} == {3: {"g0-s3"}}
    assert run.facts.exclusions[3].is_sure
    run.record(e.NotFound(run.now, 0))  # it showed another one's job
    leave_out_due(run)
    assert set().union(*(known.ids for known in run.facts.exclusions.values())) == {"g0-s1", "g0-s3"}


def test_who_is_yet_to_be_left_out_may_be_taken_in_again() -> None:
    run = not_looked(small_plan((4,), (2,)))
    assert run.ask("include", "g0-s1") == "none of these servers is excluded"
    run.ask("exclude", "true")
    assert run.ask("include", "g0-s1") is None
    looked(run)
    assert set().union(*(known.ids for known in run.facts.exclusions.values())) == {"g0-s0", "g0-s2", "g0-s3"}


@pytest.mark.parametrize("steps", [1, 2])
def test_a_piece_of_a_request_that_was_excluded_too_early_is_found_by_its_number(steps: int) -> None:
    """Versions before excluded at once: the servers of its job are told, and those that go with them stay excluded."""
    run = not_looked(small_plan((8,), (4,) * steps))
    run.record(e.Withdrawn(run.now, 0, WHO))
    counts = run.facts.counts.copy()
    numbers = run.facts.requests.numbers_of_pieces(0)
    (number,) = (n for n in numbers if run.facts.requests.piece(n) == (0, 0, 1, False) and n % 2 == numbers[0] % 2)
    looked(run, number)
    place = run.facts.requests.place_of(number)
    assert place is not None
    assert [server.id for server in run.facts.servers_of(place)] == ["g0-s0"]
    assert [finding.request for finding in doubles(run.facts, {number: {"a"}})] == [place]
    run.record(e.Doubled(run.now, place, ("a",)))
    states = {
        s.servers[0].id: s.state for s in by_request(run.facts) if s.servers and run.facts.requests[s.request].step == 0
    }
    assert states == {
        "g0-s0": RequestState.CONFLICT,
        "g0-s1": RequestState.WITHDRAWN,
        "g0-s2": RequestState.WITHDRAWN,
        "g0-s4": RequestState.PLANNED,
    }
    assert +run.facts.counts == +counts
    assert run.facts.lanes[0].excluded == 3
    assert run.ask("include", "g0-s0")
    if steps == 1:
        assert run.ask("include", "g0-s2") == "g0-s2, g0-s3 were excluded together: name all"


def test_what_was_excluded_when_everything_was_known_is_not_cut() -> None:
    run = ByHand(small_plan((4,), (2,)))
    run.ask("exclude", "g0-s0")
    (excluded,) = run.facts.exclusions
    with pytest.raises(ImpossibleEvent):
        run.record(e.Split(run.now, excluded, 1))
    run = ByHand(small_plan((4,), (2,)))
    run.ask("exclude", 'id in ("g0-s0", "g0-s1")')
    with pytest.raises(ImpossibleEvent, match="nothing of it was sent"):
        run.record(e.Split(run.now, 0, 1))


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


def test_a_job_that_is_known_is_no_second_one_and_another_is_told_of_with_it() -> None:
    run = ByHand(small_plan((2,), (1,)))
    run.send(0)
    known = run.facts.job_ids[0]
    assert doubles(run.facts, {0: {known}}) == []
    assert doubles(run.facts, {0: {known, "another"}}) == [(0, tuple(sorted((known, "another"))))]
    assert doubles(run.facts, {0: {"another"}}) == [(0, tuple(sorted((known, "another"))))]


def test_a_piece_of_what_is_in_doubt_proves_that_the_whole_made_no_job() -> None:
    run = ByHand(small_plan((4,), (4,)))
    run.record(e.Intended(run.now, 0), e.RunResumed(run.now, "0"))
    (second,) = (number for number in run.facts.requests.numbers_of_pieces(0) if number == 1 + 2 * 2 + 1)
    for event in recoveries(run.facts, [second], run.now):
        run.record(event)
    assert [event.kind for event in run.events[-3:]] == ["not_found", "split", "suspected"]
    assert run.facts.phases[0] is Phase.SPLIT
    assert run.facts.phases[run.facts.requests.place_of(second) or 0] is Phase.IN_DOUBT


def test_a_number_that_no_piece_can_have_splits_nothing() -> None:
    run = ByHand(small_plan((4,), (4,)))
    run.record(e.RunResumed(run.now, "0"))
    at_the_start = 1
    assert list(recoveries(run.facts, [at_the_start, 10**6], run.now)) == []


def test_what_the_list_shows_of_a_later_step_is_in_doubt_until_that_begins_and_then() -> None:
    run = ByHand(small_plan((1,), (1, 1)))
    run.record(e.RunResumed(run.now, "0"), e.Suspected(run.now, 1), e.Surveyed(run.now, 0))
    seen = [(run.facts.phases[1], request_state(run.facts, 1))]
    run.do(0, "s")
    seen.append((run.facts.phases[1], request_state(run.facts, 1)))
    assert seen == [(Phase.BLOCKED, RequestState.IN_DOUBT), (Phase.IN_DOUBT, RequestState.IN_DOUBT)]


def test_servers_that_fell_are_in_no_later_step() -> None:
    run = ByHand(small_plan((1,), (1, 1, 1)))
    run.do(0, "f")
    assert run.facts.phases[1:] == [Phase.VOID, Phase.VOID]
    assert run.facts.lanes[0].unsubmitted == 0
