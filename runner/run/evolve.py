"""How each event changes the state. No decisions here: what was decided is in the events."""

from __future__ import annotations

from heapq import heappop
from typing import TYPE_CHECKING, Any

from runner.model import Outcome, RunState
from runner.rules.answers import Cause
from runner.rules.outcomes import LETTER
from runner.run import events as e
from runner.run.evolve_rollout import HANDLERS as ROLLOUT_HANDLERS
from runner.run.evolve_rollout import check_outcomes, server_outcomes
from runner.run.facts import Facts, LaneFacts, OpenJob, Phase, make_ready, make_retry, queue_of, set_phase
from runner.run.unblocking import doubt, unblock_dependents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_SUCCEEDED = LETTER[Outcome.SUCCEEDED]
_UNKNOWN = LETTER[Outcome.UNKNOWN]
_NOT_STARTED = LETTER[Outcome.NOT_STARTED]
_AT_WORK = {_SUCCEEDED, LETTER[Outcome.FAILED]}
_NOT_SEEN = {_UNKNOWN, LETTER[Outcome.TIMED_OUT]}


_Closing = e.Refused | e.Conflict | e.GivenUp | e.Settled | e.Withdrawn


def evolve(state: Facts, event: e.Event) -> None:
    """Make `state` what it is after `event`."""
    handler = _HANDLERS.get(type(event))
    if handler is not None:
        handler(state, event)


def replay(state: Facts, events: Iterable[e.Event]) -> None:
    """Make `state` what it is after all `events`."""
    for event in events:
        evolve(state, event)


def _run_started(state: Facts, event: e.RunStarted) -> None:
    state.started_at = event.at
    if state.rollout is not None and state.rollout.rules.deadline_s is not None:
        state.rollout.deadline_at = event.at + state.rollout.rules.deadline_s
    state.watched = event.watched
    state.simulated = event.simulated


def _run_resumed(state: Facts, event: e.RunResumed) -> None:
    """The process before may have sent what it intended: every intent without an answer is in doubt.

    It may also have done things that the journal lost with its tail, up to the moment it died, so every doubt is as
    young as that, whenever it began.
    """
    state.stop_reason = state.intake_ended = state.ended = None
    state.watched = True
    for lane in state.lanes:
        lane.unsurveyed_since = event.at
        for waiting in lane.doubts.values():
            waiting.since = event.at
        lane.stopped, lane.watched = None, True
        lane.proven = False
        lane.unauthenticated_in_a_row = 0
    for request, phase in enumerate(state.phases):
        if phase is Phase.SENT:
            state.lane_of(request).in_flight -= 1
            doubt(state, request, event.at)


def _intended(state: Facts, event: e.Intended) -> None:
    request = event.request
    lane = state.lane_of(request)
    # Only the heads are removed: an entry further back is skipped later, for its phase is no longer the queue's.
    queue = queue_of(lane, state, request)
    if queue and queue[0] == request:
        queue.popleft()
    elif lane.retries and lane.retries[0][1] == request:
        heappop(lane.retries)
    set_phase(state, request, Phase.SENT)
    state.attempts[request] += 1
    lane.in_flight += 1


def _lapsed(state: Facts, event: e.Lapsed) -> None:
    state.attempts[event.request] -= 1
    _unsent(state, event.request)


def _throttled(state: Facts, event: e.Throttled) -> None:
    state.attempts[event.request] -= 1  # being told to slow down is not a failed try
    _unsent(state, event.request)


def _unsent(state: Facts, request: int) -> None:
    lane = state.lane_of(request)
    lane.in_flight -= 1
    set_phase(state, request, Phase.READY)
    queue_of(lane, state, request).appendleft(request)


def _refused(state: Facts, event: e.Refused) -> None:
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


def _accepted(state: Facts, event: e.Accepted) -> None:
    lane = state.lane_of(event.request)
    lane.in_flight -= 1
    lane.proven = True
    lane.unauthenticated_in_a_row = 0
    _open(state, lane, event)


def _adopted(state: Facts, event: e.Adopted) -> None:
    lane = state.lane_of(event.request)
    lane.doubts.pop(event.request, None)
    _open(state, lane, event)


def _open(state: Facts, lane: LaneFacts, event: e.Accepted | e.Adopted) -> None:
    set_phase(state, event.request, Phase.OPEN)
    state.accepted += 1
    lane.unsubmitted -= 1
    lane.accepted += 1
    lane.open[event.request] = OpenJob(event.job.job_id, event.at)
    state.job_ids[event.request] = event.job.job_id


def _in_doubt(state: Facts, event: e.InDoubt) -> None:
    state.lane_of(event.request).in_flight -= 1
    doubt(state, event.request, event.at)


def _suspected(state: Facts, event: e.Suspected) -> None:
    if state.waits_for_step(event.request):
        state.suspected.add(event.request)  # which servers it is for is known once the step before is over
    else:
        doubt(state, event.request, event.at)


def _foreseen(state: Facts, event: e.Foreseen) -> None:
    state.foreseen.add(event.number)


def _surveyed(state: Facts, event: e.Surveyed) -> None:
    state.lanes[event.lane].unsurveyed_since = None


def _doubled(state: Facts, event: e.Doubled) -> None:
    _jobs_in_conflict(state, event)


def _jobs_in_conflict(state: Facts, event: e.Conflict | e.Doubled) -> None:
    state.conflicts += event.request not in state.conflict_jobs
    state.conflict_jobs[event.request] = event.job_ids


def _not_found(state: Facts, event: e.NotFound) -> None:
    lane = state.lane_of(event.request)
    lane.doubts.pop(event.request, None)
    if state.blocked_by[event.request]:
        set_phase(state, event.request, Phase.BLOCKED)  # the list showed a job of it, and its wave has not begun
        state.suspected.discard(event.request)
    else:
        make_ready(lane, state, event.request)


def _conflict(state: Facts, event: e.Conflict) -> None:
    _jobs_in_conflict(state, event)
    _abandon(state, event)


def _given_up(state: Facts, event: e.GivenUp) -> None:
    _abandon(state, event)


def _abandon(state: Facts, event: e.Conflict | e.GivenUp) -> None:
    lane = state.lane_of(event.request)
    lane.doubts.pop(event.request, None)
    lane.unsubmitted -= 1
    _close(state, event, Phase.GIVEN_UP, _UNKNOWN)


def _settled(state: Facts, event: e.Settled) -> None:
    job = state.lane_of(event.request).open.pop(event.request, None)
    state.settled += 1
    # A job that skipped all its servers took no time. One that was not seen to end: how long it would have taken is not
    # known, and a time-out must not close every window.
    ended = set(event.outcomes) & _AT_WORK and (event.duration_s is not None or not set(event.outcomes) & _NOT_SEEN)
    if state.rollout is not None and job is not None and ended:
        took = event.at - job.accepted_at if event.duration_s is None else event.duration_s
        state.rollout.durations[state.requests.entries[event.request].step].add(took)
    _close(state, event, Phase.SETTLED, event.outcomes)


def _withdrawn(state: Facts, event: e.Withdrawn) -> None:
    state.lane_of(event.request).unsubmitted -= 1
    _close(state, event, Phase.VOID, _NOT_STARTED)


def _close(state: Facts, event: _Closing, phase: Phase, letters: str) -> None:
    """The event's request is over: count its servers and let those that succeeded into the next step.

    `letters` is one letter a server, or a single one for all.
    """
    request = event.request
    planned = state.requests.entries[request]
    if len(letters) == 1:
        letters *= len(state.servers_of(request))
    if state.rollout is not None and not state.is_main(request):
        set_phase(state, request, phase)
        check_outcomes(state, request, letters)
        return
    positions = state.positions_of(request) if state.rollout is not None else ()
    set_phase(state, request, phase)
    last_step = planned.step == state.plan.main_steps - 1
    if last_step and planned.step == len(state.plan.steps) - 1:
        for letter in set(letters):
            state.counts[letter] += letters.count(letter)
    else:
        # Steps that are checks are for those that succeeded, too.
        state.counts[_SUCCEEDED] += letters.count(_SUCCEEDED) if last_step else 0
        for server, letter in zip(state.servers_of(request), letters, strict=True):
            if letter != _SUCCEEDED:
                state.counts[letter] += 1
                state.left_behind[planned.group].add(server.id)
    if state.rollout is not None:
        final = letters if last_step else letters.replace(_SUCCEEDED, "-")
        server_outcomes(state, state.rollout, request, positions, final, event.at)
    if not last_step:
        unblock_dependents(state, request, event.at)
    if state.rollout is not None:
        state.rollout.request_over(planned.wave, event.at)


def _lane_stopped(state: Facts, event: e.LaneStopped) -> None:
    lane = state.lanes[event.lane]
    lane.stopped, lane.watched = event.error, event.watched


def _stop_requested(state: Facts, event: e.StopRequested) -> None:
    state.stop_reason = event.reason


def _intake_ended(state: Facts, event: e.IntakeEnded) -> None:
    state.intake_ended = event.reason


def _run_ended(state: Facts, event: e.RunEnded) -> None:
    state.ended = RunState(event.state)


_HANDLERS: dict[type, Callable[[Facts, Any], None]] = {
    e.RunStarted: _run_started,
    e.RunResumed: _run_resumed,
    e.Intended: _intended,
    e.Lapsed: _lapsed,
    e.Throttled: _throttled,
    e.Refused: _refused,
    e.Accepted: _accepted,
    e.InDoubt: _in_doubt,
    e.Suspected: _suspected,
    e.Foreseen: _foreseen,
    e.Surveyed: _surveyed,
    e.Doubled: _doubled,
    e.Adopted: _adopted,
    e.NotFound: _not_found,
    e.Conflict: _conflict,
    e.GivenUp: _given_up,
    e.Settled: _settled,
    e.LaneStopped: _lane_stopped,
    e.StopRequested: _stop_requested,
    e.IntakeEnded: _intake_ended,
    e.Withdrawn: _withdrawn,
    e.RunEnded: _run_ended,
    **ROLLOUT_HANDLERS,
}
