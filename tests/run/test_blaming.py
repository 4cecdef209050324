"""What follows from a refusal, where a request or what it is a piece of was in doubt."""

from __future__ import annotations

import pytest

from runner.rules.answers import Cause, Refusal, ServiceError
from runner.run import events as e
from runner.run.blaming import after_refusal
from runner.run.phases import Phase
from tests.conftest import small_plan
from tests.run.by_hand import BROKEN, ByHand


def told(run: ByHand, request: int, message: str, *, busy: bool = True) -> list[e.Event]:
    """The request is sent and refused; what is recorded then."""
    error = ServiceError(400, "ModelArts.6357" if busy else "ModelArts.6404", message, None)
    run.record(e.Intended(run.now, request))
    before = len(run.events)
    refused = Refusal(Cause.BUSY if busy else Cause.INVALID, error)
    for event in after_refusal(run.facts, request, refused, run.now, 0.5):
        run.record(event)
    return run.events[before:]


def in_doubt(run: ByHand, request: int) -> None:
    run.record(e.Intended(run.now, request), e.InDoubt(run.now, request, BROKEN), e.NotFound(run.now, request))


def kinds(events: list[e.Event]) -> list[str]:
    return [event.kind for event in events]


def test_a_busy_answer_is_looked_up_once_after_each_doubt() -> None:
    run = ByHand(small_plan((2,), (1,)))
    in_doubt(run, 0)
    assert kinds(told(run, 0, "busy")) == ["in_doubt"]
    run.record(e.NotFound(run.now, 0))
    assert kinds(told(run, 0, "busy")) == ["refused"]
    assert run.facts.phases[0] is Phase.RETRY
    run.record(e.Intended(run.now, 0), e.InDoubt(run.now, 0, BROKEN), e.NotFound(run.now, 0))
    assert kinds(told(run, 0, "busy")) == ["in_doubt"]


def test_a_busy_answer_after_a_crash_is_looked_up() -> None:
    run = ByHand(small_plan((2,), (1,)))
    run.record(e.Intended(run.now, 0), e.RunResumed(run.now, "0"), e.Surveyed(run.now, 0), e.NotFound(run.now, 0))
    assert kinds(told(run, 0, "busy")) == ["in_doubt"]
    assert run.facts.attempts[0] == 1


def test_a_piece_of_what_was_in_doubt_is_not_waited_for() -> None:
    """A job of the whole may be at work on it, under a name that nobody looks for any more before the end."""
    run = ByHand(small_plan((4,), (4,)))
    in_doubt(run, 0)
    run.record(e.Split(run.now, 0, 2))
    (refused,) = told(run, 1, "busy")
    assert isinstance(refused, e.Refused)
    assert refused.retry_at is None


@pytest.mark.parametrize("proof", ["unknown", "looked up"])
def test_it_is_where_the_whole_certainly_made_no_job(proof: str) -> None:
    run = ByHand(small_plan((4,), (4,)))
    in_doubt(run, 0)
    if proof == "looked up":
        told(run, 0, "busy")
        run.record(e.NotFound(run.now, 0))
    told(run, 0, "g0-s3", busy=proof == "looked up")
    first = run.facts.requests.pieces[0][0]
    refused = told(run, first, "g0-s1")[0]
    assert isinstance(refused, e.Refused)
    assert refused.retry_at is not None


def test_refusals_in_a_row_are_of_requests_for_several_servers_and_end_with_one_that_is_taken() -> None:
    run = ByHand(small_plan((64,), (4,)))
    lane = run.facts.lanes[0]
    told(run, 0, "g0-s0", busy=False)
    told(run, 1, "busy")
    run.now += 60.0
    told(run, 1, "busy")
    assert lane.refused_in_a_row == 2
    single = run.facts.requests.pieces[run.facts.requests.pieces[0][0]][1]
    told(run, single, "busy")
    assert lane.refused_in_a_row == 2
    run.send(2)
    assert lane.refused_in_a_row == 0


@pytest.mark.parametrize(("in_a_row", "parted"), [(27, True), (28, False)])
def test_so_many_refusals_in_a_row_are_about_more_than_single_servers(in_a_row: int, parted: bool) -> None:
    """Twenty, and two for each that may be on its way: four at once here."""
    run = ByHand(small_plan((128,), (4,)))
    for request in range(in_a_row):
        run.refuse(request)
    assert run.facts.lanes[0].refused_in_a_row == in_a_row
    events = kinds(told(run, 31, "no such server", busy=False))
    assert events == (["refused", "split"] if parted else ["refused"])


def test_where_all_servers_are_named_it_is_not_said_which_are_in_the_way() -> None:
    run = ByHand(small_plan((2,), (2,)))
    assert kinds(told(run, 0, "g0-s0 and g0-s1", busy=False)) == ["refused", "split"]
    run = ByHand(small_plan((2,), (2,)))
    assert kinds(told(run, 0, "g0-s0", busy=False)) == ["refused", "split", "set_aside"]
