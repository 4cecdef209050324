"""How the events of a rollout change the state; with `evolve`, the only place that changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.model import Outcome
from runner.rules.outcomes import LETTER
from runner.run import events as e
from runner.run.commands import carry_out
from runner.run.facts import Facts, Phase, set_phase
from runner.run.unblocking import doubt, unblock
from runner.run.waves import RolloutFacts, Stage, WaveFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.plan.plan import PlannedRequest
    from runner.rules.sequential import Evidence

_SUCCEEDED, _FAILED, _SKIPPED = LETTER[Outcome.SUCCEEDED], LETTER[Outcome.FAILED], LETTER[Outcome.SKIPPED]
_UNSURE = {LETTER[Outcome.UNKNOWN], LETTER[Outcome.TIMED_OUT]}
_ABNORMAL = {LETTER[outcome] for outcome in Outcome if outcome.is_abnormal}


def server_outcomes(
    state: Facts, rollout: RolloutFacts, request: int, positions: Sequence[int], letters: str, at: float
) -> None:
    """Servers ended so: for the budgets, the evidence, the wave. A letter that is no outcome's is not final."""
    entry = state.requests.entries[request]
    abnormal = [place for place, letter in zip(positions, letters, strict=True) if letter in _ABNORMAL]
    skipped = [place for place, letter in zip(positions, letters, strict=True) if letter == _SKIPPED]
    rollout.ledger.spend(entry, abnormal, skipped)
    rollout.unknown += sum(letter in _UNSURE for letter in letters)
    rollout.wave_counts[entry.wave].update(letter for letter in letters if letter != "-")
    if rollout.evidence is not None:
        _add_evidence(rollout, rollout.evidence, len(abnormal), letters.count(_SUCCEEDED))
    if rollout.rules.on_failure is not None:
        for place, letter in zip(positions, letters, strict=True):
            if letter == _FAILED:
                _follow_up(state, rollout, entry, place, at)


def _add_evidence(rollout: RolloutFacts, evidence: Evidence, abnormal: int, normal: int) -> None:
    evidence.add(abnormal, normal)
    if abnormal:
        outcomes = evidence.abnormal + evidence.normal
        rollout.curve.append((outcomes, evidence.abnormal, evidence.log_alarm))


def _follow_up(state: Facts, rollout: RolloutFacts, entry: PlannedRequest, position: int, at: float) -> None:
    """What is to be done for a server that failed goes before anything else."""
    body = rollout.rules.failure_bodies[entry.group]
    request = state.requests.follow_up(rollout.rules.on_failure or 0, entry.group, position, body, entry.wave)
    _add(state, Phase.READY, 0, [])
    lane = state.lane_of(request)
    lane.unsubmitted += 1
    if state.requests.number_of(request) in state.foreseen:
        doubt(state, request, at)
    else:
        lane.urgent.append(request)


def check_outcomes(state: Facts, request: int, letters: str) -> None:
    """A request of a check or after a failure is over. What it did is reported, and is no outcome of its servers."""
    if state.rollout is not None and not state.requests.is_follow_up(request):
        wave = state.requests.entries[request].wave
        state.rollout.check_request_over(wave, sum(letter != _SUCCEEDED for letter in letters))


def _add(state: Facts, phase: Phase, blocked_by: int, dependents: list[int]) -> None:
    state.phases.append(phase)
    state.attempts.append(0)
    state.blocked_by.append(blocked_by)
    if state.dependents:
        state.dependents.append(dependents)


def _split(state: Facts, event: e.Split) -> None:
    request = event.request
    before = state.phases[request]
    dependents = state.dependents[request] if state.dependents else []
    pieces = state.requests.split(request, event.cut)
    lane = state.lane_of(request)
    for piece in pieces:
        phase = Phase.BLOCKED if before is Phase.BLOCKED else Phase.READY
        _add(state, phase, state.blocked_by[request], list(dependents))
        if request in state.suspected:
            state.suspected.add(piece)
    for dependent in dependents:
        _waits_for_one_more(state, dependent)
    if before is not Phase.BLOCKED:
        if lane.ready and lane.ready[0] == request:
            lane.ready.popleft()
        lane.ready.extendleft(reversed(pieces))
    set_phase(state, request, Phase.SPLIT)
    lane.unsubmitted += 1
    if state.rollout is not None:
        _split_in_wave(state, state.rollout, request, pieces)


def _waits_for_one_more(state: Facts, request: int) -> None:
    state.blocked_by[request] += 1
    for piece in state.requests.pieces.get(request, ()):
        _waits_for_one_more(state, piece)


def _split_in_wave(state: Facts, rollout: RolloutFacts, request: int, pieces: tuple[int, int]) -> None:
    wave = rollout.waves[state.requests.entries[request].wave]
    if state.is_main(request):
        wave.left += 1
    elif state.phases[pieces[0]] is not Phase.BLOCKED:
        wave.check_left += 1


def _wave_started(state: Facts, event: e.WaveStarted) -> None:
    rollout, wave = _at(state, event.wave)
    rollout.current = event.wave
    wave.stage, wave.started_at = Stage.RUNNING, event.at
    if rollout.evidence is not None:
        rollout.evidence.begin_wave()
    for request in wave.requests:
        unblock(state, request, event.at)
    if not wave.left:
        wave.stage, wave.over_at = Stage.SOAKING, event.at


def _check_started(state: Facts, event: e.CheckStarted) -> None:
    _, wave = _at(state, event.wave)
    wave.stage, wave.check_open = Stage.CHECKING, True
    wave.attempts += 1
    step = wave.plan.checks[event.check].step
    if step is not None:
        requests = wave.check_requests.get(step, [])
        wave.check_left = sum(state.phases[request] < Phase.SETTLED for request in requests)
        wave.check_failed = 0
        for request in requests:
            unblock(state, request, event.at)


def _checked(state: Facts, event: e.Checked) -> None:
    _, wave = _at(state, event.wave)
    wave.check_open = False
    # A step is made once on each server: if it failed, and a person goes on all the same, the next check is up.
    if event.passed or wave.plan.checks[event.check].step is not None:
        wave.check, wave.attempts = wave.check + 1, 0
    elif event.is_last:
        wave.attempts = 0
    else:
        wave.check_again_at = event.at


def _approval_asked(state: Facts, event: e.ApprovalAsked) -> None:
    _at(state, event.wave)[1].stage = Stage.AWAITING_APPROVAL


def _wave_passed(state: Facts, event: e.WavePassed) -> None:
    rollout, wave = _at(state, event.wave)
    wave.stage, wave.passed_at = Stage.PASSED, event.at
    rollout.current = event.wave + 1


def _held(state: Facts, event: e.Held) -> None:
    state.controls.held = event.reason


def _aborted(state: Facts, event: e.Aborted) -> None:
    state.aborted = event.reason
    _checks_are_off(state, event.at)


def _checks_are_off(state: Facts, at: float) -> None:
    """No check will begin any more: jobs that the list shows of one are looked up now, or they would never be."""
    for request in sorted(state.suspected):
        if state.phases[request] is Phase.BLOCKED and not state.is_main(request):
            doubt(state, request, at)


def _commanded(state: Facts, event: e.Commanded) -> None:
    state.controls.last_command = max(state.controls.last_command, event.number)
    if event.refused is None:
        carry_out(state, event)
        if state.aborted is not None:
            _checks_are_off(state, event.at)


def _at(state: Facts, wave: int) -> tuple[RolloutFacts, WaveFacts]:
    rollout = state.rollout
    if rollout is None:
        raise ValueError("a run without a rollout has no waves")
    return rollout, rollout.waves[wave]


HANDLERS: dict[type, Callable[[Facts, Any], None]] = {
    e.Split: _split,
    e.WaveStarted: _wave_started,
    e.CheckStarted: _check_started,
    e.Checked: _checked,
    e.ApprovalAsked: _approval_asked,
    e.WavePassed: _wave_passed,
    e.Held: _held,
    e.Aborted: _aborted,
    e.Commanded: _commanded,
}
