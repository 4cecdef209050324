"""How the events of a rollout change the facts; with `evolve`, the only place that changes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.run import events as e
from runner.run.commands import carry_out
from runner.run.facts import Facts, Hold, StopRule
from runner.run.impossible import impossible
from runner.run.pacing import Stretch
from runner.run.phases import Phase
from runner.run.unblocking import doubt, unblock
from runner.run.waves import CrawlSaid, RolloutFacts, Stage, WaveFacts

if TYPE_CHECKING:
    from collections.abc import Callable


_RULES = frozenset(rule.value for rule in StopRule)


def _wave_started(facts: Facts, event: e.WaveStarted) -> None:
    rollout, wave = _wave(facts, event, Stage.WAITING)
    wave.stage, wave.started_at = Stage.RUNNING, event.at
    facts.stretch = Stretch(event.at, facts.started)
    if rollout.evidence is not None:
        rollout.evidence.begin_wave()
    for request in wave.requests:
        unblock(facts, request, event.at)
    if not wave.left:
        wave.stage, wave.over_at = Stage.SOAKING, event.at


def _check_started(facts: Facts, event: e.CheckStarted) -> None:
    _, wave = _wave(facts, event, Stage.SOAKING, Stage.CHECKING)
    if wave.check_open and event.check == wave.check and wave.plan.checks[event.check].step is not None:
        raise impossible(event, f"check {event.check} of wave {wave.plan.name} is made already")
    _is_next_check(wave, event)
    wave.stage, wave.check_open = Stage.CHECKING, True
    wave.check_since = event.at if not wave.attempts or wave.check_since is None else wave.check_since
    wave.attempts += 1
    step = wave.plan.checks[event.check].step
    if step is not None:
        requests = wave.check_requests.get(step, [])
        wave.check_left = sum(not facts.phases[request].is_over for request in requests)
        wave.check_failed = 0
        for request in requests:
            unblock(facts, request, event.at)


def _checked(facts: Facts, event: e.Checked) -> None:
    _, wave = _wave(facts, event, Stage.CHECKING)
    _is_next_check(wave, event)
    if not wave.check_open or (wave.check_left and wave.plan.checks[event.check].step is not None):
        raise impossible(event, f"check {event.check} of wave {wave.plan.name} is not over")
    wave.check_open, wave.check_to_repeat = False, False
    # A step is made once on each server: if it failed, and a person goes on all the same, the next check is up.
    if event.passed or wave.plan.checks[event.check].step is not None:
        wave.check, wave.attempts = wave.check + 1, 0
    elif event.is_last:
        wave.attempts, wave.check_to_repeat = 0, True
    else:
        wave.check_again_at = event.at


def _is_next_check(wave: WaveFacts, event: e.CheckStarted | e.Checked) -> None:
    if event.check != wave.check or wave.next_check is None:
        raise impossible(event, f"wave {wave.plan.name} is not at check {event.check}")


def _approval_asked(facts: Facts, event: e.ApprovalAsked) -> None:
    _, wave = _checked_wave(facts, event)
    wave.stage, wave.asked_at = Stage.AWAITING_APPROVAL, event.at


def _wave_passed(facts: Facts, event: e.WavePassed) -> None:
    rollout, wave = _checked_wave(facts, event)
    wave.stage, wave.passed_at = Stage.PASSED, event.at
    rollout.current = event.wave + 1


def _held(facts: Facts, event: e.Held) -> None:
    if event.rule not in _RULES:
        raise impossible(event, f"there is no rule {event.rule}")
    facts.controls.held = Hold(StopRule(event.rule), event.reason, event.limit, event.at)


def _crawls(facts: Facts, event: e.Crawls) -> None:
    _rollout(facts, event).crawl = CrawlSaid(event.limit, event.scope, event.room)


def _aborted(facts: Facts, event: e.Aborted) -> None:
    facts.aborted = event.reason
    facts.over_since = facts.over_since or event.at
    _nothing_waits(facts, event.at)


def _nothing_waits(facts: Facts, at: float) -> None:
    """After an abort no person is waited for, and no check begins.

    Jobs that the list shows of one are looked up now, or they would never be.
    """
    facts.controls.paused, facts.controls.held = False, None
    facts.controls.held_groups.clear()
    for request in sorted(facts.suspected):
        if facts.phases[request] is Phase.BLOCKED and not facts.is_main(request):
            doubt(facts, request, at)


def _commanded(facts: Facts, event: e.Commanded) -> None:
    if event.number <= facts.controls.last_command:
        raise impossible(event, f"command {event.number} was taken in before")
    facts.controls.last_command = event.number
    if event.refused is None:
        carry_out(facts, event)
        if facts.aborted is not None:
            facts.over_since = facts.over_since or event.at
            _nothing_waits(facts, event.at)


_OfWave = e.WaveStarted | e.CheckStarted | e.Checked | e.ApprovalAsked | e.WavePassed


def _rollout(facts: Facts, event: e.Event) -> RolloutFacts:
    if facts.rollout is None:
        raise impossible(event, "its plan has no waves")
    return facts.rollout


def _wave(facts: Facts, event: _OfWave, *legal: Stage) -> tuple[RolloutFacts, WaveFacts]:
    rollout = _rollout(facts, event)
    wave = rollout.wave
    if wave is None or event.wave != rollout.current:
        raise impossible(event, f"wave {event.wave} is not the one at work")
    if wave.stage not in legal:
        raise impossible(event, f"wave {wave.plan.name} is {wave.stage}")
    return rollout, wave


def _checked_wave(facts: Facts, event: e.ApprovalAsked | e.WavePassed) -> tuple[RolloutFacts, WaveFacts]:
    rollout, wave = _wave(facts, event, Stage.SOAKING, Stage.CHECKING)
    if wave.next_check is not None:
        raise impossible(event, f"wave {wave.plan.name} is not through its checks")
    return rollout, wave


HANDLERS: dict[type, Callable[[Facts, Any], None]] = {
    e.WaveStarted: _wave_started,
    e.CheckStarted: _check_started,
    e.Checked: _checked,
    e.ApprovalAsked: _approval_asked,
    e.WavePassed: _wave_passed,
    e.Held: _held,
    e.Crawls: _crawls,
    e.Aborted: _aborted,
    e.Commanded: _commanded,
}
