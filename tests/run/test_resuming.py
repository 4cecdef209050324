"""What a run that is resumed takes for granted of the process before it: nothing."""

from __future__ import annotations

import math

from runner.rules.answers import Cause
from runner.rules.doubts import LOOKUPS_BEFORE_SENDING_AGAIN, Inquiry, LookUpAgain, SendAgain, judge
from runner.run import events as e
from runner.run.evolve import evolve, replay
from runner.run.facts import Busy, Doubt, Facts, initial_facts
from tests.conftest import small_plan
from tests.run.by_hand import BROKEN, ByHand

SETTLE_S = 15.0
DIED_LONG_AGO, RESUMED = 1000.0, 9000.0


def resumed(run: ByHand) -> Facts:
    """The run as another process has it, right after it was resumed."""
    facts = initial_facts(run.plan)
    replay(facts, run.events)
    evolve(facts, e.RunResumed(RESUMED, "0"))
    return facts


def with_doubts() -> ByHand:
    """One request in doubt for long, one that was sent and got no answer, one with its job, one that was not sent."""
    run = ByHand(small_plan((8,), (2,)), DIED_LONG_AGO)
    run.record(e.Intended(run.now, 0), e.InDoubt(run.now, 0, BROKEN), e.Intended(run.now, 1))
    run.send(2)
    return run


def test_every_doubt_is_as_young_as_the_resume_whenever_it_began() -> None:
    """What the process before sent at its last moment may still be on its way to the list of jobs."""
    (lane,) = resumed(with_doubts()).lanes
    assert lane.doubts == {0: Doubt(RESUMED), 1: Doubt(RESUMED)}
    assert lane.unsurveyed_since == RESUMED


def test_so_nothing_is_sent_again_before_the_settle_time_has_passed_once_more() -> None:
    (lane,) = resumed(with_doubts()).lanes
    for doubt in lane.doubts.values():
        asked = Inquiry(doubt.since, LOOKUPS_BEFORE_SENDING_AGAIN)
        early = judge(asked, [], now=RESUMED + SETTLE_S - 1, settle_s=SETTLE_S, may_resend=True)
        assert isinstance(early, LookUpAgain)
        assert early.at == RESUMED + SETTLE_S
        assert judge(asked, [], now=RESUMED + SETTLE_S, settle_s=SETTLE_S, may_resend=True) == SendAgain()


def test_what_was_on_its_way_is_not_any_more() -> None:
    before = with_doubts()
    assert (before.facts.lanes[0].in_flight, len(before.facts.lanes[0].doubts)) == (1, 1)
    (lane,) = resumed(before).lanes
    assert (lane.in_flight, len(lane.doubts)) == (0, 2)


def test_a_lane_that_was_stopped_is_tried_anew_and_carefully() -> None:
    run = with_doubts()
    run.record(e.Intended(run.now, 3), e.Refused(run.now, 3, Cause.UNAUTHENTICATED, BROKEN, run.now + 1.0))
    run.stop_lane(0, watched=False)
    (lane,) = resumed(run).lanes
    assert (lane.stopped, lane.watched, lane.proven, lane.unauthenticated_in_a_row) == (None, True, False, 0)


def test_a_run_whose_first_entry_was_lost_begins_when_it_is_resumed() -> None:
    facts = initial_facts(small_plan((4,), (2,)))
    evolve(facts, e.RunResumed(RESUMED, "0"))
    assert facts.started_at == RESUMED


def test_nothing_that_was_learned_of_the_service_is_taken_for_granted() -> None:
    run = with_doubts()
    other = e.LeftOut(run.now, 0, ("g0-s6",), "another")
    run.record(other, e.Intended(run.now, 3), e.Refused(run.now, 3, Cause.INVALID, BROKEN, run.now + 1.0))
    (before,) = run.facts.lanes
    assert (before.proven, before.refused_in_a_row, run.facts.left_out) == (True, 1, [{"g0-s6": "another"}])
    facts = resumed(run)
    assert (facts.lanes[0].proven, facts.lanes[0].refused_in_a_row, facts.left_out) == (False, 0, [{}])


def test_an_outage_begins_anew() -> None:
    run = with_doubts()
    run.record(e.Intended(run.now, 3), e.Refused(run.now, 3, Cause.UNREACHABLE, BROKEN, run.now + 40.0))
    assert run.facts.lanes[0].unreachable_since == DIED_LONG_AGO
    assert resumed(run).lanes[0].unreachable_since is None


def test_what_is_busy_is_waited_for_anew_and_looked_up_if_it_was_on_its_way() -> None:
    run = ByHand(small_plan((4,), (2,)), DIED_LONG_AGO)
    for request in (0, 1):
        run.record(e.Intended(run.now, request), e.Refused(run.now, request, Cause.BUSY, BROKEN, run.now + 1.0))
        run.record(e.Intended(run.now, request), e.InDoubt(run.now, request, BROKEN, busy=True))
        run.record(e.NotFound(run.now, request))
    run.record(e.Intended(run.now, 0))
    assert [run.facts.busy[request] for request in (0, 1)] == [Busy(DIED_LONG_AGO, 2, looked_up=True)] * 2
    facts = resumed(run)
    assert facts.busy == {0: Busy(math.inf, 0, looked_up=False), 1: Busy(math.inf, 0, looked_up=True)}


def test_the_survey_of_one_lane_says_nothing_of_what_was_excluded_on_another() -> None:
    run = ByHand(small_plan((2, 2), (2,), lanes=2), DIED_LONG_AGO)
    run.record(e.RunResumed(run.now, "0"))
    excluded = (0, 1)  # at once, as versions before had it
    for request in excluded:
        run.record(e.Withdrawn(run.now, request, "someone"))
    assert [run.facts.exclusions[request].is_sure for request in excluded] == [False, False]
    run.record(e.Surveyed(run.now, 1))
    lanes = [run.facts.lane_index(request) for request in excluded]
    assert {lane: run.facts.exclusions[r].is_sure for lane, r in zip(lanes, excluded, strict=True)} == {
        0: False,
        1: True,
    }
