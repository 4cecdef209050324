"""What to do next on a lane: a pure question to the state, asked again after every event."""

from __future__ import annotations

import math
from dataclasses import dataclass
from heapq import heappop
from typing import TYPE_CHECKING

from runner.campaign.state import Phase

if TYPE_CHECKING:
    from runner.campaign.state import LaneState, RunState


@dataclass(frozen=True, slots=True)
class Submit:
    """Send this request."""

    request: int


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Nothing to send before `at` (epoch seconds) or the next event."""

    at: float


@dataclass(frozen=True, slots=True)
class WaitForEvent:
    """Nothing to send before the next event."""


@dataclass(frozen=True, slots=True)
class AllSubmitted:
    """Nothing will be sent on this lane any more."""


Command = Submit | WaitUntil | WaitForEvent | AllSubmitted

_WAIT = WaitForEvent()
_DONE = AllSubmitted()


def decide(state: RunState, lane_index: int, now: float) -> Command:
    """What to submit next on a lane at `now` (epoch seconds)."""
    lane = state.lanes[lane_index]
    if state.stop_reason is not None or lane.stopped is not None or not lane.unsubmitted:
        return _DONE
    if lane.unsurveyed_since is not None:
        return _WAIT
    if _slots_taken(lane) >= _slots(state, lane):
        return _WAIT
    request = _first_ready(state, lane)
    if request is not None:
        return Submit(request)
    retry = _first_retry(state, lane)
    if retry is None:
        return _WAIT
    at, request = retry
    return Submit(request) if at <= now else WaitUntil(at)


def _slots(state: RunState, lane: LaneState) -> int:
    """How many requests may be intended, and not answered, at once.

    Without a rate limit as many again are intended ahead, so that a free connection need not wait for the disk; the
    engine still sends no more than `concurrency` at once. With one, the limit is what they wait for, and an intent must
    not grow old.
    """
    submit = state.plan.submit
    if not lane.proven:
        return 1
    ahead = submit.concurrency if math.isinf(submit.rate) else 0
    return submit.concurrency + ahead


def _slots_taken(lane: LaneState) -> int:
    """A request in doubt keeps its slot: a service that answers nothing usable must not swallow the whole fleet."""
    return lane.in_flight + len(lane.doubts)


def _first_ready(state: RunState, lane: LaneState) -> int | None:
    while lane.ready:
        if state.phases[lane.ready[0]] is Phase.READY:
            return lane.ready[0]
        lane.ready.popleft()
    return None


def _first_retry(state: RunState, lane: LaneState) -> tuple[float, int] | None:
    while lane.retries:
        if state.phases[lane.retries[0][1]] is Phase.RETRY:
            return lane.retries[0]
        heappop(lane.retries)
    return None
