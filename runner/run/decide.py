"""What to do next on a lane: a pure question to the state, asked again after every event."""

from __future__ import annotations

import math
from dataclasses import dataclass
from heapq import heappop
from typing import TYPE_CHECKING

from runner.run.admission import ClosedUntil, MustSplit, Simple, admission
from runner.run.facts import Phase, queue_of
from runner.run.intake import nothing_left, sends_no_more

if TYPE_CHECKING:
    from runner.run.admission import Admission
    from runner.run.facts import Facts, LaneFacts


@dataclass(frozen=True, slots=True)
class Send:
    """Send this request."""

    request: int


@dataclass(frozen=True, slots=True)
class SplitUp:
    """Put two pieces in the place of this request; `cut` is where the second one begins."""

    request: int
    cut: int


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


Decision = Send | SplitUp | WaitUntil | WaitForEvent | AllSubmitted

_WAIT = WaitForEvent()
_DONE = AllSubmitted()


def decide(state: Facts, lane_index: int, now: float) -> Decision:
    """What to submit next on a lane at `now` (epoch seconds)."""
    lane = state.lanes[lane_index]
    if sends_no_more(state, lane) or (not lane.unsubmitted and nothing_left(state, lane)):
        return _DONE
    must_wait = lane.unsurveyed_since is not None or state.is_waiting_for_person
    if must_wait or _slots_taken(lane) >= _slots(state, lane):
        return _WAIT
    if state.has_gates:
        return _first_admitted(state, lane, now)
    return _first_in_line(state, lane, now)


def _first_in_line(state: Facts, lane: LaneFacts, now: float) -> Decision:
    request = next_in_line(state, lane)
    if request is not None:
        return Send(request)
    retry = _first_retry(state, lane)
    if retry is None:
        return _WAIT
    at, request = retry
    return Send(request) if at <= now else WaitUntil(at)


def _first_admitted(state: Facts, lane: LaneFacts, now: float) -> Decision:
    """The first request that may be let in; those that wait for room of their own are passed over."""
    _due_retries_are_ready(state, lane, now)
    while (request := next_in_line(state, lane)) is not None:
        # One that waits elsewhere leaves the line before the next is put at its head.
        queue_of(lane, state, request).popleft()
        admitted = admission(state, request, now)
        if admitted is not Simple.PARKED:
            queue_of(lane, state, request).appendleft(request)
            return _decision(request, admitted)
    retry = _first_retry(state, lane)
    return _WAIT if retry is None else WaitUntil(retry[0])


def _decision(request: int, admitted: Admission) -> Decision:
    match admitted:
        case Simple.ADMITTED:
            return Send(request)
        case MustSplit(cut):
            return SplitUp(request, cut)
        case ClosedUntil(at):
            return WaitUntil(at)
        case _:
            return _WAIT


def _due_retries_are_ready(state: Facts, lane: LaneFacts, now: float) -> None:
    while (retry := _first_retry(state, lane)) is not None and retry[0] <= now:
        heappop(lane.retries)
        state.phases[retry[1]] = Phase.READY
        queue_of(lane, state, retry[1]).appendleft(retry[1])


def _slots(state: Facts, lane: LaneFacts) -> int:
    """How many requests may be intended, and not answered, at once.

    Without a rate limit as many again are intended ahead, so that a free connection need not wait for the disk; the
    engine still sends no more than `concurrency` at once. With one, the limit is what they wait for, and an intent must
    not grow old.
    """
    if not lane.proven:
        return 1
    concurrency = state.concurrency
    ahead = concurrency if math.isinf(state.rate) else 0
    return concurrency + ahead


def _slots_taken(lane: LaneFacts) -> int:
    """A request in doubt keeps its slot: a service that answers nothing usable must not swallow the whole fleet."""
    return lane.in_flight + len(lane.doubts)


def next_in_line(state: Facts, lane: LaneFacts) -> int | None:
    """The request that is looked at first of those that are ready."""
    while queue := lane.urgent or lane.ready:
        if state.phases[queue[0]] is Phase.READY:
            return queue[0]
        queue.popleft()
    return None


def _first_retry(state: Facts, lane: LaneFacts) -> tuple[float, int] | None:
    while lane.retries:
        if state.phases[lane.retries[0][1]] is Phase.RETRY:
            return lane.retries[0]
        heappop(lane.retries)
    return None
