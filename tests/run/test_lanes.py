"""What each answer makes of its request's attempts, and of its lane: how carefully that goes on, and how long it is tried."""

from __future__ import annotations

import pytest

from runner.rules.answers import Cause
from runner.run import events as e
from runner.run.decisions import Send, WaitForEvent, WaitUntil
from runner.spec.campaign import Submit
from tests.conftest import small_plan
from tests.driving import job_of
from tests.run.by_hand import BROKEN, ByHand

AT = 1000.0
CAREFUL = Submit(rate=10.0, burst=1, concurrency=4)


def at_work(requests: int = 9, submit: Submit = CAREFUL) -> ByHand:
    """Requests of two servers each, none sent."""
    return ByHand(small_plan((2 * requests,), (2,), submit), AT)


def refused(cause: Cause, request: int = 0, at: float = AT) -> e.Refused:
    return e.Refused(at, request, cause, BROKEN, at + 5.0)


@pytest.mark.parametrize(
    ("answer", "attempts", "sent"),
    [
        (e.Accepted(AT, 0, job_of(0)), 1, 1),
        (e.InDoubt(AT, 0, BROKEN), 1, 1),
        (refused(Cause.INVALID), 1, 1),
        (refused(Cause.UNAUTHENTICATED), 1, 1),
        # It was asked in vain, which is no attempt that failed.
        (refused(Cause.BUSY), 0, 1),
        (refused(Cause.UNREACHABLE), 0, 1),
        (e.InDoubt(AT, 0, BROKEN, busy=True), 0, 1),
        (e.Throttled(AT, 0, BROKEN, 2.0, None), 0, 1),
        # It never left.
        (e.Lapsed(AT, 0), 0, 0),
    ],
    ids=lambda value: value.kind if hasattr(value, "kind") else None,
)
def test_what_uses_up_an_attempt(answer: e.Event, attempts: int, sent: int) -> None:
    run = at_work()
    run.record(e.Intended(AT, 0), answer)
    assert (run.facts.attempts[0], run.facts.sent[0]) == (attempts, sent)
    assert run.facts.lanes[0].in_flight == 0


@pytest.mark.parametrize(
    ("answer", "at_once"),
    [
        (e.Accepted(AT, 1, job_of(1)), 4),
        (refused(Cause.BUSY, 1), 4),
        (refused(Cause.INVALID, 1), 4),
        (e.Throttled(AT, 1, BROKEN, 2.0, None), 4),
        (refused(Cause.UNAUTHENTICATED, 1), 1),
        (refused(Cause.UNREACHABLE, 1), 1),
    ],
    ids=lambda value: value.kind if hasattr(value, "kind") else None,
)
def test_how_many_are_sent_at_once_after_an_answer(answer: e.Event, at_once: int) -> None:
    run = at_work()
    assert sent_at_once(run) == 1
    run.record(e.Accepted(AT, 0, job_of(0)), e.Intended(AT, 1), answer)
    run.now = AT + 100.0
    assert sent_at_once(run) == at_once


def sent_at_once(run: ByHand) -> int:
    """How many may be on their way before one is answered."""
    count = 0
    while isinstance(decided := run.decide(), Send):
        run.record(e.Intended(run.now, decided.request))
        count += 1
    assert isinstance(decided, WaitForEvent)
    return count


def test_a_request_in_doubt_keeps_its_slot() -> None:
    run = at_work()
    run.send(0)
    run.record(e.Intended(AT, 1), e.InDoubt(AT, 1, BROKEN))
    assert sent_at_once(run) == 3


def test_a_service_that_cannot_be_reached_is_tried_when_its_pause_is_over() -> None:
    run = at_work()
    run.record(e.Intended(AT, 0), e.Refused(AT, 0, Cause.UNREACHABLE, BROKEN, AT + 7.0))
    run.now = AT + 6.9
    assert run.decide() == WaitUntil(AT + 7.0)
    run.now = AT + 7.0
    assert isinstance(run.decide(), Send)


def test_an_outage_lasts_from_the_first_try_that_did_not_come_through() -> None:
    run = at_work()
    for later in (0.0, 10.0, 20.0):
        run.record(e.Intended(AT + later, 0), refused(Cause.UNREACHABLE, 0, AT + later))
    assert run.facts.lanes[0].unreachable_since == AT


@pytest.mark.parametrize(
    "answer",
    [e.Accepted(AT, 0, job_of(0)), e.Throttled(AT, 0, BROKEN, 2.0, None), refused(Cause.BUSY), refused(Cause.INVALID),
     refused(Cause.UNAUTHENTICATED)],
    ids=lambda answer: answer.kind,
)  # fmt: skip
def test_an_outage_ends_with_whatever_the_service_answers(answer: e.Event) -> None:
    run = at_work()
    run.record(e.Intended(AT, 0), refused(Cause.UNREACHABLE), e.Intended(AT, 0), answer)
    assert run.facts.lanes[0].unreachable_since is None


def test_a_busy_server_is_waited_for_from_the_first_time_that_it_was() -> None:
    run = at_work()
    for later in (0.0, 30.0, 60.0):
        run.record(e.Intended(AT + later, 0), refused(Cause.BUSY, 0, AT + later))
    assert run.facts.busy[0][:2] == (AT, 3)


@pytest.mark.parametrize(
    ("settled", "longest_s"),
    [
        (e.Settled(AT + 90.0, 0, "ss", None), 90.0),
        (e.Settled(AT + 90.0, 0, "ss", 30.0), 30.0),
        (e.Settled(AT + 90.0, 0, "sf", 30.0), 30.0),
        (e.Settled(AT + 90.0, 0, "kk", 30.0), 0.0),  # it skipped its servers, and took no time
        (e.Settled(AT + 90.0, 0, "tt", None), 0.0),  # it was not seen to end
        (e.Settled(AT + 90.0, 0, "su", None), 0.0),
        (e.Settled(AT + 90.0, 0, "su", 30.0), 30.0),
    ],
    ids=lambda value: f"{value.outcomes}-{value.duration_s}" if isinstance(value, e.Settled) else None,
)
def test_how_long_the_longest_job_took(settled: e.Settled, longest_s: float) -> None:
    run = at_work()
    run.send(0)
    run.record(settled)
    assert run.facts.longest_s == [longest_s]
