"""How the events of a whole run change the facts, or of a lane; with `evolve`, the only place that changes them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from runner.model import RUNNER, RunState
from runner.run import events as e
from runner.run.facts import Doubt, Facts, LaneFacts, RunEnding
from runner.run.impossible import impossible
from runner.run.intake import may_come_back
from runner.run.pacing import Stretch
from runner.run.phases import Phase
from runner.run.unblocking import doubt
from runner.run.waves import RolloutDeadline

if TYPE_CHECKING:
    from collections.abc import Callable

_RUN_STATES = frozenset(state.value for state in RunState)


def _run_started(facts: Facts, event: e.RunStarted) -> None:
    if facts.started_at is not None:
        raise impossible(event, "the run began before")
    _begin(facts, event.at)
    facts.watched = event.watched
    facts.simulated = event.simulated
    facts.runner_version = event.runner_version


def _begin(facts: Facts, at: float) -> None:
    facts.started_at = at
    facts.stretch = Stretch(at, 0)
    if facts.rollout is not None and facts.rollout.rules.deadline_s is not None:
        facts.rollout.deadline = RolloutDeadline(at + facts.rollout.rules.deadline_s)


def _run_resumed(facts: Facts, event: e.RunResumed) -> None:
    """The process before may have sent what it intended: every intent without an answer is in doubt.

    It may also have done things that the journal lost with its tail, up to the moment it died, so every doubt is as
    young as that, whenever it began.
    """
    if facts.started_at is None:
        _begin(facts, event.at)  # the journal lost even its first entry
    facts.stop_reason = facts.intake_ended = facts.ending = None
    facts.watched = True
    if facts.aborted is None:
        facts.over_since = None
    facts.stretch = Stretch(event.at, facts.started)
    facts.busy = {request: busy._replace(since=math.inf, answers=0) for request, busy in facts.busy.items()}
    for request, known in facts.exclusions.items():
        # A person may have taken them in again, and they may have got a job, as the lost end told.
        if known.who != RUNNER and may_come_back(facts, request):
            facts.exclusions[request] = known._replace(is_sure=False)
    for servers in facts.left_out:
        servers.clear()
    for lane in facts.lanes:
        lane.unsurveyed_since = event.at
        lane.doubts = dict.fromkeys(lane.doubts, Doubt(event.at))
        lane.stopped, lane.stopped_at, lane.slowed, lane.watched = None, None, None, True
        lane.proven = False
        lane.unauthenticated_in_a_row = lane.refused_in_a_row = 0
        lane.unreachable_since = None
        lane.failing = None
    for request, phase in enumerate(facts.phases):
        if phase is Phase.SENT:
            facts.lane_of(request).in_flight -= 1
            if request in facts.busy:
                facts.busy[request] = facts.busy[request]._replace(looked_up=False)
            doubt(facts, request, event.at)


def _surveyed(facts: Facts, event: e.Surveyed) -> None:
    _lane(facts, event).unsurveyed_since = None
    for request, exclusion in facts.exclusions.items():
        if facts.lane_index(request) == event.lane:
            facts.exclusions[request] = exclusion._replace(is_sure=True)


def _lane_stopped(facts: Facts, event: e.LaneStopped) -> None:
    lane = _lane(facts, event)
    lane.stopped, lane.stopped_at, lane.watched = event.error, event.at, event.watched


def _calls_failing(facts: Facts, event: e.CallsFailing) -> None:
    _lane(facts, event).failing = event


def _calls_working(facts: Facts, event: e.CallsWorking) -> None:
    lane = _lane(facts, event)
    if lane.failing is None:
        raise impossible(event, "no call failed")
    lane.failing = None


def _lane(facts: Facts, event: e.Surveyed | e.LaneStopped | e.CallsFailing | e.CallsWorking) -> LaneFacts:
    if not 0 <= event.lane < len(facts.lanes):
        raise impossible(event, f"there is no lane {event.lane}")
    return facts.lanes[event.lane]


def _stop_requested(facts: Facts, event: e.StopRequested) -> None:
    facts.stop_reason = event.reason
    facts.over_since = facts.over_since or event.at


def _intake_ended(facts: Facts, event: e.IntakeEnded) -> None:
    facts.intake_ended = event.reason
    facts.over_since = facts.over_since or event.at


def _run_ended(facts: Facts, event: e.RunEnded) -> None:
    if event.state not in _RUN_STATES:
        raise impossible(event, f"no run is ever {event.state}")
    facts.ending = RunEnding(event.at, RunState(event.state), event.reason, event.exit_code)


def _display_lost(facts: Facts, event: e.DisplayLost) -> None:
    """Nothing is true of the run that was not before: it goes on."""


def _signal_lost(facts: Facts, event: e.SignalLost) -> None:
    """Likewise."""
    if not 0 <= event.hook < len(facts.plan.hooks):
        raise impossible(event, f"there is no hook {event.hook}")


HANDLERS: dict[type, Callable[[Facts, Any], None]] = {
    e.RunStarted: _run_started,
    e.RunResumed: _run_resumed,
    e.Surveyed: _surveyed,
    e.CallsFailing: _calls_failing,
    e.CallsWorking: _calls_working,
    e.LaneStopped: _lane_stopped,
    e.StopRequested: _stop_requested,
    e.IntakeEnded: _intake_ended,
    e.RunEnded: _run_ended,
    e.DisplayLost: _display_lost,
    e.SignalLost: _signal_lost,
}
