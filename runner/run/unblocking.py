"""How requests become ready: when what they wait for is over, or has begun."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.run.facts import Doubt, set_phase
from runner.run.phases import Phase

if TYPE_CHECKING:
    from runner.run.facts import Facts


def unblock_dependents(facts: Facts, request: int, at: float) -> None:
    """A request of an earlier step is over."""
    for dependent in facts.dependents[request]:
        unblock(facts, dependent, at)


def unblock(facts: Facts, request: int, at: float) -> None:
    """One of the things that a request waits for is there; `at` is epoch seconds."""
    if facts.phases[request] is Phase.SPLIT:
        for piece in facts.requests.pieces[request]:
            unblock(facts, piece, at)
        return
    facts.blocked_by[request] -= 1
    if facts.phases[request] is not Phase.BLOCKED:
        return
    if request in facts.suspected and not facts.waits_for_step(request):
        doubt(facts, request, at)  # it has a job already: what else it would wait for does not matter
    elif facts.blocked_by[request]:
        return
    elif facts.servers_of(request):
        set_phase(facts, request, Phase.READY)
    else:
        void(facts, request, at)


def doubt(facts: Facts, request: int, since: float) -> None:
    """The request may or may not have made a job."""
    lane = facts.lane_of(request)
    facts.retry_at.pop(request, None)
    facts.suspected.discard(request)
    set_phase(facts, request, Phase.IN_DOUBT)
    lane.doubts[request] = Doubt(since)
    lane.ever_in_doubt.add(request)


def void(facts: Facts, request: int, at: float) -> None:
    """No server is left for it, or none that it may be made for any more."""
    facts.lane_of(request).unsubmitted -= 1
    set_phase(facts, request, Phase.VOID)
    entry = facts.requests.entries[request]
    if entry.step < facts.plan.main_steps - 1:
        unblock_dependents(facts, request, at)
    if facts.rollout is None:
        return
    if facts.is_main(request):
        facts.rollout.waves[entry.wave].request_over(at)
    elif not facts.requests.is_follow_up(request):
        facts.rollout.waves[entry.wave].check_left -= 1
