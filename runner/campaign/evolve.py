"""How each event changes the state. No decisions here: what was decided is in the events."""

from __future__ import annotations

from heapq import heappop
from typing import TYPE_CHECKING, Any

from runner.campaign import events as e
from runner.campaign.answers import Cause
from runner.campaign.outcomes import LETTER
from runner.campaign.state import Doubt, LaneState, OpenJob, Phase, RunState, make_ready, make_retry
from runner.model import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_SUCCEEDED = LETTER[Outcome.SUCCEEDED]
_UNKNOWN = LETTER[Outcome.UNKNOWN]
_NOT_STARTED = LETTER[Outcome.NOT_STARTED]


_Closing = e.Refused | e.Conflict | e.GivenUp | e.Settled


def evolve(state: RunState, event: e.Event) -> None:
    """Make `state` what it is after `event`."""
    handler = _HANDLERS.get(type(event))
    if handler is not None:
        handler(state, event)


def replay(state: RunState, events: Iterable[e.Event]) -> None:
    """Make `state` what it is after all `events`."""
    for event in events:
        evolve(state, event)


def _run_started(state: RunState, event: e.RunStarted) -> None:
    state.started_at = event.at
    state.watched = event.watched
    state.simulated = event.simulated


def _run_resumed(state: RunState, event: e.RunResumed) -> None:
    """The process before may have sent what it intended: every intent without an answer is in doubt.

    It may also have done things that the journal lost with its tail, up to the moment it died, so every doubt is as
    young as that, whenever it began.
    """
    state.stop_reason = state.ended = None
    state.watched = True
    for lane in state.lanes:
        lane.unsurveyed_since = event.at
        for doubt in lane.doubts.values():
            doubt.since = event.at
        lane.stopped = None
        lane.proven = False
        lane.unauthenticated_in_a_row = 0
    for request, phase in enumerate(state.phases):
        if phase is Phase.SENT:
            state.lane_of(request).in_flight -= 1
            _doubt(state, request, event.at)


def _intended(state: RunState, event: e.Intended) -> None:
    request = event.request
    lane = state.lane_of(request)
    # Only the heads are removed: an entry further back is skipped later, for its phase is no longer the queue's.
    if lane.ready and lane.ready[0] == request:
        lane.ready.popleft()
    elif lane.retries and lane.retries[0][1] == request:
        heappop(lane.retries)
    state.phases[request] = Phase.SENT
    state.attempts[request] += 1
    lane.in_flight += 1


def _lapsed(state: RunState, event: e.Lapsed) -> None:
    state.attempts[event.request] -= 1
    _unsent(state, event.request)


def _throttled(state: RunState, event: e.Throttled) -> None:
    state.attempts[event.request] -= 1  # being told to slow down is not a failed try
    _unsent(state, event.request)


def _unsent(state: RunState, request: int) -> None:
    lane = state.lane_of(request)
    lane.in_flight -= 1
    state.phases[request] = Phase.READY
    lane.ready.appendleft(request)


def _refused(state: RunState, event: e.Refused) -> None:
    lane = state.lane_of(event.request)
    lane.in_flight -= 1
    if event.cause is Cause.UNAUTHENTICATED:
        lane.unauthenticated_in_a_row += 1
        lane.proven = False
    if event.retry_at is not None:
        make_retry(lane, state, event.request, event.retry_at)
        return
    state.refused += 1
    lane.unsubmitted -= 1
    _close(state, event, Phase.REFUSED, _NOT_STARTED)


def _accepted(state: RunState, event: e.Accepted) -> None:
    lane = state.lane_of(event.request)
    lane.in_flight -= 1
    lane.proven = True
    lane.unauthenticated_in_a_row = 0
    _open(state, lane, event)


def _adopted(state: RunState, event: e.Adopted) -> None:
    lane = state.lane_of(event.request)
    lane.doubts.pop(event.request, None)
    _open(state, lane, event)


def _open(state: RunState, lane: LaneState, event: e.Accepted | e.Adopted) -> None:
    state.phases[event.request] = Phase.OPEN
    state.accepted += 1
    lane.unsubmitted -= 1
    lane.accepted += 1
    lane.open[event.request] = OpenJob(event.job.job_id, event.at)
    state.job_ids[event.request] = event.job.job_id


def _in_doubt(state: RunState, event: e.InDoubt) -> None:
    state.lane_of(event.request).in_flight -= 1
    _doubt(state, event.request, event.at)


def _suspected(state: RunState, event: e.Suspected) -> None:
    if state.phases[event.request] is Phase.BLOCKED:
        state.suspected.add(event.request)  # which servers it is for is known once the step before is over
    else:
        _doubt(state, event.request, event.at)


def _surveyed(state: RunState, event: e.Surveyed) -> None:
    state.lanes[event.lane].unsurveyed_since = None


def _doubled(state: RunState, event: e.Doubled) -> None:
    del event
    state.conflicts += 1


def _doubt(state: RunState, request: int, since: float) -> None:
    lane = state.lane_of(request)
    state.phases[request] = Phase.IN_DOUBT
    lane.doubts[request] = Doubt(since)
    lane.ever_in_doubt.add(request)


def _not_found(state: RunState, event: e.NotFound) -> None:
    lane = state.lane_of(event.request)
    lane.doubts.pop(event.request, None)
    make_ready(lane, state, event.request)


def _conflict(state: RunState, event: e.Conflict) -> None:
    state.conflicts += 1
    _abandon(state, event)


def _given_up(state: RunState, event: e.GivenUp) -> None:
    _abandon(state, event)


def _abandon(state: RunState, event: e.Conflict | e.GivenUp) -> None:
    lane = state.lane_of(event.request)
    lane.doubts.pop(event.request, None)
    lane.unsubmitted -= 1
    _close(state, event, Phase.GIVEN_UP, _UNKNOWN)


def _settled(state: RunState, event: e.Settled) -> None:
    state.lane_of(event.request).open.pop(event.request, None)
    state.settled += 1
    _close(state, event, Phase.SETTLED, event.outcomes)


def _close(state: RunState, event: _Closing, phase: Phase, letters: str) -> None:
    """The event's request is over: count its servers and let those that succeeded into the next step.

    `letters` is one letter a server, or a single one for all.
    """
    request = event.request
    state.phases[request] = phase
    planned = state.plan.requests[request]
    servers = state.servers_of(request)
    if len(letters) != len(servers):
        letters = letters[0] * len(servers)
    last_step = planned.step == len(state.plan.steps) - 1
    if last_step:
        state.counts.update(letters)
        return
    for server, letter in zip(servers, letters, strict=True):
        if letter != _SUCCEEDED:
            state.counts[letter] += 1
            state.left_behind[planned.group].add(server.id)
    _unblock(state, request, event.at)


def _unblock(state: RunState, request: int, at: float) -> None:
    for dependent in state.dependents[request]:
        state.blocked_by[dependent] -= 1
        if state.blocked_by[dependent]:
            continue
        lane = state.lane_of(dependent)
        if dependent in state.suspected:
            _doubt(state, dependent, at)
        elif state.servers_of(dependent):
            make_ready(lane, state, dependent)
        else:
            lane.unsubmitted -= 1
            state.phases[dependent] = Phase.VOID
            _unblock(state, dependent, at)


def _lane_stopped(state: RunState, event: e.LaneStopped) -> None:
    state.lanes[event.lane].stopped = event.error


def _stop_requested(state: RunState, event: e.StopRequested) -> None:
    state.stop_reason = event.reason


def _run_ended(state: RunState, event: e.RunEnded) -> None:
    state.ended = event.state


_HANDLERS: dict[type, Callable[[RunState, Any], None]] = {
    e.RunStarted: _run_started,
    e.RunResumed: _run_resumed,
    e.Intended: _intended,
    e.Lapsed: _lapsed,
    e.Throttled: _throttled,
    e.Refused: _refused,
    e.Accepted: _accepted,
    e.InDoubt: _in_doubt,
    e.Suspected: _suspected,
    e.Surveyed: _surveyed,
    e.Doubled: _doubled,
    e.Adopted: _adopted,
    e.NotFound: _not_found,
    e.Conflict: _conflict,
    e.GivenUp: _given_up,
    e.Settled: _settled,
    e.LaneStopped: _lane_stopped,
    e.StopRequested: _stop_requested,
    e.RunEnded: _run_ended,
}
