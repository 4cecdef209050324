"""How requests become ready: when what they wait for is over, or has begun."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.run.facts import Doubt, Phase, make_ready, set_phase

if TYPE_CHECKING:
    from runner.run.facts import Facts


def unblock_dependents(state: Facts, request: int, at: float) -> None:
    """A request of an earlier step is over."""
    for dependent in state.dependents[request]:
        unblock(state, dependent, at)


def unblock(state: Facts, request: int, at: float) -> None:
    """One of the things that a request waits for is there; `at` is epoch seconds."""
    if state.phases[request] is Phase.SPLIT:
        for piece in state.requests.pieces[request]:
            unblock(state, piece, at)
        return
    state.blocked_by[request] -= 1
    if state.phases[request] is not Phase.BLOCKED:
        return
    lane = state.lane_of(request)
    if request in state.suspected and not state.waits_for_step(request):
        doubt(state, request, at)  # it has a job already: what else it would wait for does not matter
    elif state.blocked_by[request]:
        return
    elif state.servers_of(request):
        make_ready(lane, state, request)
    else:
        _void(state, request, at)


def doubt(state: Facts, request: int, since: float) -> None:
    """The request may or may not have made a job."""
    lane = state.lane_of(request)
    set_phase(state, request, Phase.IN_DOUBT)
    lane.doubts[request] = Doubt(since)
    lane.ever_in_doubt.add(request)


def _void(state: Facts, request: int, at: float) -> None:
    """No server is left for it."""
    state.lane_of(request).unsubmitted -= 1
    set_phase(state, request, Phase.VOID)
    entry = state.requests.entries[request]
    if entry.step < state.plan.main_steps - 1:
        unblock_dependents(state, request, at)
    if state.rollout is not None:
        if state.is_main(request):
            state.rollout.request_over(entry.wave, at)
        else:
            state.rollout.check_request_over(entry.wave)
