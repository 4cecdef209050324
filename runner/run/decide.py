"""What to do next on a lane: a pure question to the facts and the queues, asked again after every event."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from runner.run.decisions import AllSubmitted, WaitForEvent, WaitUntil
from runner.run.intake import is_past_deadline, nothing_left, sends_no_more

if TYPE_CHECKING:
    from runner.run.decisions import Decision
    from runner.run.dispatch import Dispatcher
    from runner.run.facts import Facts, LaneFacts

_WAIT = WaitForEvent()
_DONE = AllSubmitted()


def decide(facts: Facts, dispatcher: Dispatcher, lane_index: int, now: float, wall: float) -> Decision:
    """What to submit next on a lane at `now` (epoch seconds); `wall` is what the wall clock shows, for windows."""
    lane = facts.lanes[lane_index]
    if sends_no_more(facts, lane) or (not lane.unsubmitted and nothing_left(facts, lane)):
        return _DONE
    must_wait = lane.unsurveyed_since is not None or facts.is_waiting_for_person
    if must_wait or is_past_deadline(facts, now, wall) or slots_taken(lane) >= slots(facts, lane):
        return _WAIT
    if lane.unreachable_since is not None and now < lane.try_again_at:
        return WaitUntil(lane.try_again_at)
    return dispatcher.next(lane_index, now, wall)


def slots(facts: Facts, lane: LaneFacts) -> int:
    """How many requests may be intended, and not answered, at once.

    Without a rate limit as many again are intended ahead, so that a free connection need not wait for the disk; the
    engine still sends no more than `concurrency` at once. With one, the limit is what they wait for, and an intent must
    not grow old.
    """
    if not lane.proven:
        return 1
    concurrency = facts.concurrency
    ahead = concurrency if math.isinf(facts.rate) else 0
    return concurrency + ahead


def slots_taken(lane: LaneFacts) -> int:
    """How many are. One in doubt keeps its slot: a service that answers nothing usable must not swallow the whole fleet."""
    return lane.in_flight + len(lane.doubts)
