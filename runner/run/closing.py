"""A request is over: what that makes of its servers, of budgets and evidence, and of what waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.model import Outcome
from runner.run.facts import Facts, set_phase
from runner.run.phases import Phase
from runner.run.unblocking import doubt, unblock_dependents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.plan.plan import PlannedRequest
    from runner.rules.outcomes import Outcomes
    from runner.run.waves import RolloutFacts

_ABNORMAL = tuple(outcome for outcome in Outcome if outcome.is_abnormal)
_UNSURE = (Outcome.UNKNOWN, Outcome.TIMED_OUT)


def close(facts: Facts, request: int, phase: Phase, outcomes: Outcomes, at: float) -> None:
    """The request is over at `at` (epoch seconds): count its servers and let those that succeeded into the next step."""
    facts.outcomes[request] = outcomes
    step, main_steps = facts.requests.entries[request].step, facts.plan.main_steps
    if step >= main_steps:
        set_phase(facts, request, phase)
        _side_request_over(facts, request, outcomes)
        return
    # Before anything changes: which servers these are depends on who was left behind so far.
    positions = facts.positions_of(request) if facts.rollout is not None else ()
    set_phase(facts, request, phase)
    is_last_step = step == main_steps - 1
    _count(facts, request, outcomes, step, is_last_step=is_last_step)
    if facts.rollout is not None:
        _in_rollout(facts, facts.rollout, request, positions, outcomes, at)
    if not is_last_step:
        unblock_dependents(facts, request, at)
    if facts.rollout is not None:
        facts.rollout.waves[facts.requests.entries[request].wave].request_over(at)


def reopen(facts: Facts, request: int) -> None:
    """Servers that were excluded are taken in again. Only of campaigns with one step (`runner.run.excluding`)."""
    outcomes = facts.outcomes.pop(request)
    entry = facts.requests.entries[request]
    facts.counts.subtract(outcomes.counts)
    facts.left_behind[entry.group].difference_update(server.id for server in facts.servers_of(request))
    if facts.rollout is not None:
        wave = facts.rollout.waves[entry.wave]
        wave.counts.subtract(outcomes.counts)
        wave.left += 1
    set_phase(facts, request, Phase.BLOCKED if facts.blocked_by[request] else Phase.READY)


def _side_request_over(facts: Facts, request: int, outcomes: Outcomes) -> None:
    """A request of a check or after a failure is over. What it did is reported, and is no outcome of its servers."""
    if facts.rollout is not None and not facts.requests.is_follow_up(request):
        wave = facts.rollout.waves[facts.requests.entries[request].wave]
        wave.check_left -= 1
        wave.check_failed += len(outcomes) - outcomes.count(Outcome.SUCCEEDED)


def _count(facts: Facts, request: int, outcomes: Outcomes, step: int, *, is_last_step: bool) -> None:
    outcomes.add_to(facts.counts, is_last_step=is_last_step)
    # Steps that are checks are for those that succeeded, too.
    if step < len(facts.plan.steps) - 1:
        behind = facts.left_behind[facts.requests.entries[request].group]
        for server, outcome in zip(facts.servers_of(request), outcomes, strict=True):
            if outcome is not Outcome.SUCCEEDED:
                behind.add(server.id)


def _in_rollout(
    facts: Facts, rollout: RolloutFacts, request: int, positions: Sequence[int], outcomes: Outcomes, at: float
) -> None:
    """For the budgets, the evidence, the wave."""
    entry = facts.requests.entries[request]
    is_last_step = entry.step == facts.plan.main_steps - 1
    succeeded = outcomes.count(Outcome.SUCCEEDED) if is_last_step else 0
    abnormal = _places(positions, outcomes, *_ABNORMAL) if outcomes.abnormal else []
    rollout.ledger.spend(entry, abnormal, _places(positions, outcomes, Outcome.SKIPPED))
    rollout.unknown += sum(map(outcomes.count, _UNSURE))
    outcomes.add_to(rollout.waves[entry.wave].counts, is_last_step=is_last_step)
    _add_evidence(rollout, len(abnormal), succeeded)
    if rollout.rules.on_failure is not None:
        _follow_failures(facts, rollout, entry, positions, outcomes, at)


def _places(positions: Sequence[int], outcomes: Outcomes, *wanted: Outcome) -> list[int]:
    if not any(map(outcomes.count, wanted)):
        return []
    return [place for place, outcome in zip(positions, outcomes, strict=True) if outcome in wanted]


def _add_evidence(rollout: RolloutFacts, abnormal: int, normal: int) -> None:
    evidence = rollout.evidence
    if evidence is None:
        return
    evidence.add(abnormal, normal)
    if abnormal:
        outcomes = evidence.abnormal + evidence.normal
        rollout.curve.append((outcomes, evidence.abnormal, evidence.log_alarm))


def _follow_failures(
    facts: Facts, rollout: RolloutFacts, entry: PlannedRequest, positions: Sequence[int], outcomes: Outcomes, at: float
) -> None:
    """What is to be done for a server that failed goes before anything else.

    The list may show that it was done for one that is not known to have failed: its job is gone, and so is the end of the
    journal that told of it. Then it is looked up, too, and not sent.
    """
    for position, outcome in zip(positions, outcomes, strict=True):
        number = facts.requests.follow_up_number(entry.group, position)
        is_foreseen = number in facts.foreseen
        if (outcome is Outcome.FAILED or is_foreseen) and facts.requests.place_of(number) is None:
            request = _follow(facts, rollout, entry, position)
            if outcome is not Outcome.FAILED:
                facts.unasked.add(request)
            if is_foreseen:
                doubt(facts, request, at)


def _follow(facts: Facts, rollout: RolloutFacts, entry: PlannedRequest, position: int) -> int:
    body = rollout.rules.failure_bodies[entry.group]
    request = facts.requests.follow_up(rollout.rules.on_failure or 0, entry.group, position, body, entry.wave)
    add_request(facts, Phase.READY, 0, [])
    facts.lane_of(request).unsubmitted += 1
    return request


def foresee(facts: Facts, number: int, at: float) -> None:
    """The list shows a job of a request that follows a failure which is not known: it is looked up when its server is over.

    A server that was excluded before anybody could look is over already.
    """
    facts.foreseen.add(number)
    piece = facts.requests.piece(number)
    if facts.rollout is None or piece is None:
        return
    server = facts.plan.groups[piece.group].servers[piece.position].id
    for excluded, exclusion in facts.exclusions.items():
        if server in exclusion.ids:
            request = _follow(facts, facts.rollout, facts.requests.entries[excluded], piece.position)
            facts.unasked.add(request)
            doubt(facts, request, at)
            return


def add_request(facts: Facts, phase: Phase, blocked_by: int, dependents: list[int]) -> None:
    """Make room for a request that has just been added to the table."""
    facts.moved.append(len(facts.phases))
    facts.phases.append(phase)
    facts.attempts.append(0)
    facts.sent.append(0)
    facts.blocked_by.append(blocked_by)
    if facts.dependents:
        facts.dependents.append(dependents)
