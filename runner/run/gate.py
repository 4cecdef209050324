"""The gate: what a rollout does next beside sending requests. Go on to the next wave, check, wait, hold, or abort.

A pure question to the state, like `decide`, asked again after every event; most of the time the answer is to wait.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runner.rules.sequential import Conclusion
from runner.run import events as e
from runner.run.admission import expected_s
from runner.run.decide import Decision, Send, SplitUp, WaitUntil, decide
from runner.run.facts import Phase, unpark_all
from runner.run.intake import nothing_left, waits_for_survey
from runner.run.waves import Stage

if TYPE_CHECKING:
    from runner.rules.budget import Cell
    from runner.run.facts import Facts, LaneFacts
    from runner.run.waves import RolloutFacts, WaveFacts

# The rules that hold or abort a campaign.
BUDGET, SEQUENTIAL, UNSURE, CHECK, WINDOW = "budget", "sequential", "unknown", "check", "window"

# Why intake ends at the rollout's own deadline.
DEADLINE_PASSED = "the deadline of the rollout has passed"

# How long lies between two attempts of a check, seconds.
CHECK_PAUSE_S = 10.0


@dataclass(frozen=True, slots=True)
class Patience:
    """What a run waits for: an open window, a person. Without, it ends there, and can be resumed."""

    for_window: bool = True
    for_person: bool = True


@dataclass(frozen=True, slots=True)
class Record:
    """Make this event true."""

    event: e.Event


@dataclass(frozen=True, slots=True)
class MakeCheck:
    """Make the check of the wave, and record what came of it."""

    wave: int
    check: int


@dataclass(frozen=True, slots=True)
class Sleep:
    """Nothing to do before `until` (epoch seconds; None: ever) or the next event."""

    until: float | None = None


@dataclass(frozen=True, slots=True)
class GateOver:
    """Nothing will be decided any more."""


GateStep = Record | MakeCheck | Sleep | GateOver


def next_step(state: Facts, now: float, patience: Patience) -> GateStep:
    """What the gate does next at `now` (epoch seconds)."""
    rollout = state.rollout
    if rollout is None or state.over:
        return GateOver()
    proof = _proof(rollout, now)
    if proof is not None:
        return Record(proof)
    if rollout.deadline_at is not None and now >= rollout.deadline_at:
        return Record(e.IntakeEnded(now, DEADLINE_PASSED))
    wave = rollout.wave
    if wave is None:
        return _after_the_last(state, rollout, now, patience)
    if state.is_waiting_for_person or wave.stage is Stage.AWAITING_APPROVAL:
        return _wait_for_person(state, rollout, wave, now, patience)
    return _wave_step(state, rollout, wave, now, patience)


def _after_the_last(state: Facts, rollout: RolloutFacts, now: float, patience: Patience) -> GateStep:
    """Every wave is passed; what follows a failure may still be sent."""
    if all(nothing_left(state, lane) for lane in state.lanes):
        return GateOver()
    if state.is_waiting_for_person:
        return Sleep(rollout.deadline_at)
    return _running(state, rollout, now, patience)


def _proof(rollout: RolloutFacts, now: float) -> e.Aborted | None:
    """Evidence that the change itself is bad."""
    if rollout.evidence is not None and rollout.evidence.verdict is Conclusion.BAD:
        return e.Aborted(now, SEQUENTIAL, rollout.evidence.describe())
    most = rollout.rules.abort.after_unknown
    if most is not None and rollout.unknown >= most:
        return e.Aborted(now, UNSURE, f"{rollout.unknown} servers are unknown or timed out, the limit is {most}")
    return None


def _wait_for_person(state: Facts, rollout: RolloutFacts, wave: WaveFacts, now: float, patience: Patience) -> GateStep:
    if _is_anything_in_flight(state):
        return Sleep(rollout.deadline_at)
    if all(lane.stopped is not None for lane in state.lanes):
        return GateOver()  # an answer would change nothing
    if patience.for_person or _is_unsurveyed(state):
        return Sleep(rollout.deadline_at)
    return Record(e.StopRequested(now, f"a person must decide: {_undecided(state, wave)}, then `runner resume`"))


def _undecided(state: Facts, wave: WaveFacts) -> str:
    """What a person must decide, and how."""
    if state.controls.held is not None:
        return f"{state.controls.held}; `runner continue` or `runner abort`"
    if state.controls.paused:
        return "paused; `runner continue`"
    return f"wave {wave.plan.name} waits for approval; `runner approve` or `runner reject`"


def _wave_step(state: Facts, rollout: RolloutFacts, wave: WaveFacts, now: float, patience: Patience) -> GateStep:
    index = rollout.current
    if wave.stage is Stage.WAITING:
        return Record(e.WaveStarted(now, index))
    if wave.stage is Stage.RUNNING:
        return _running(state, rollout, now, patience)
    if wave.stage is Stage.SOAKING and now < wave.soak_until:
        return Sleep(_sooner(wave.soak_until, rollout.deadline_at))
    check = wave.next_check
    if check is not None:
        return _check(state, rollout, wave, now, patience)
    if wave.plan.approve and index + 1 < len(rollout.waves):
        return Record(e.ApprovalAsked(now, index))
    return Record(e.WavePassed(now, index))


def _check(state: Facts, rollout: RolloutFacts, wave: WaveFacts, now: float, patience: Patience) -> GateStep:
    check = wave.plan.checks[wave.check]
    if check.step is None:
        again_at = wave.check_again_at + CHECK_PAUSE_S if wave.attempts else 0.0
        return MakeCheck(rollout.current, wave.check) if now >= again_at else Sleep(again_at)
    if not wave.check_open:
        return Record(e.CheckStarted(now, rollout.current, wave.check))
    if wave.check_left:
        return _running(state, rollout, now, patience)
    passed = not wave.check_failed
    detail = "" if passed else f"{wave.check_failed} servers did not succeed"
    return Record(e.Checked(now, rollout.current, wave.check, passed, detail, is_last=True))


def after_check(state: Facts, checked: e.Checked) -> e.Held | e.Aborted | None:
    """What follows from a check that failed for good; None if it did not."""
    if checked.passed or not checked.is_last or state.rollout is None or state.over:
        return None
    wave = state.rollout.waves[checked.wave].plan
    reason = f"check `{wave.checks[checked.check].name}` of wave {wave.name} failed: {checked.detail}"
    return _breach(state.rollout, checked.at, CHECK, reason)


def _breach(rollout: RolloutFacts, now: float, rule: str, reason: str) -> e.Held | e.Aborted:
    kind = e.Held if rollout.rules.on_breach == "hold" else e.Aborted
    return kind(now, rule, reason)


def _running(state: Facts, rollout: RolloutFacts, now: float, patience: Patience) -> GateStep:
    """A wave at work needs nothing, unless nothing is in flight and nothing more can be let in."""
    if _is_anything_in_flight(state):
        return Sleep(rollout.deadline_at)
    commands = _commands(state, rollout, now)
    if _is_unsurveyed(state) or any(isinstance(command, Send | SplitUp) for command in commands):
        return Sleep(rollout.deadline_at)
    if (stuck := _wave_is_stuck(state)) is not None:
        return Record(e.IntakeEnded(now, stuck))
    is_timed = any(isinstance(command, WaitUntil) for command in commands)
    return _nothing_goes(state, rollout, now, patience, is_timed=is_timed)


def _nothing_goes(state: Facts, rollout: RolloutFacts, now: float, patience: Patience, *, is_timed: bool) -> GateStep:
    """Nothing is in flight, and nothing is let in now. `is_timed`: something will be, at a time that is known."""
    if rollout.closed_until is not None:
        return _outside_windows(rollout, rollout.closed_until, now, patience)
    if is_timed:
        return Sleep(rollout.deadline_at)
    reason = _blocked_by(state, rollout)
    if reason is not None:
        return Record(_breach(rollout, now, BUDGET, reason))
    if patience.for_person or not state.controls.held_groups:
        return Sleep(rollout.deadline_at)
    group = state.plan.groups[min(state.controls.held_groups)].name
    what = f"group {group} is held; `runner release`, then `runner resume`"
    return Record(e.StopRequested(now, f"a person must decide: {what}"))


def _wave_is_stuck(state: Facts) -> str | None:
    """Why the wave cannot end while this process lives: nothing is in flight, and what is left has a lane that stopped."""
    stopped = [index for index, lane in enumerate(state.lanes) if lane.stopped is not None]
    left = {
        state.lane_index(request) for request, phase in enumerate(state.phases) if phase in {Phase.READY, Phase.RETRY}
    }
    if not stopped or not left <= set(stopped):
        return None
    return f"lane {state.plan.lanes[stopped[0]].label} cannot be used"


def _outside_windows(rollout: RolloutFacts, until: float, now: float, patience: Patience) -> GateStep:
    if math.isinf(until):
        need = max(expected_s(rollout, step) for step in range(rollout.rules.main_steps))
        return Record(
            _breach(rollout, now, WINDOW, f"no window is long enough for a job expected to last {need:.0f} s")
        )
    if patience.for_window:
        return Sleep(_sooner(until, rollout.deadline_at))
    opens = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Record(e.StopRequested(now, f"no window is open before {opens}: `runner resume` then"))


def _commands(state: Facts, rollout: RolloutFacts, now: float) -> list[Decision]:
    """What each lane would do next, asked afresh: what a window was closed for may be gone, and so may what was in the way.

    Where none sends, they are asked again: one may have let requests of another try.
    """
    unpark_all(state)
    commands: list[Decision] = []
    for _ in range(2):
        rollout.barrier = rollout.closed_until = None
        commands = [decide(state, lane, now) for lane in range(len(state.lanes))]
        if len(commands) == 1 or any(isinstance(command, Send | SplitUp) for command in commands):
            break
    return commands


def _blocked_by(state: Facts, rollout: RolloutFacts) -> str | None:
    """The limits that have no room left and that something waits for."""
    barrier = rollout.barrier
    waited = [] if barrier is None else [barrier]
    waited += [cell for cell in rollout.ledger.cells() if cell is not barrier and _is_waited_for(state, cell)]
    if not waited:
        return None
    more = f"; and {len(waited) - 1} more limits" if len(waited) > 1 else ""
    return f"{waited[0].describe()}{more}"


def _is_waited_for(state: Facts, cell: Cell) -> bool:
    return any(state.phases[request] is Phase.READY for request in (*cell.stuck, *cell.parked))


def _is_anything_in_flight(state: Facts) -> bool:
    return any(_is_in_flight(lane) for lane in state.lanes)


def _is_in_flight(lane: LaneFacts) -> bool:
    """Whether anything will still come back. On a lane that stopped nothing is looked up, and perhaps not even watched."""
    if lane.stopped is None:
        return bool(lane.in_flight or lane.doubts or lane.open)
    return bool(lane.in_flight or (lane.open and lane.watched))


def _is_unsurveyed(state: Facts) -> bool:
    return any(waits_for_survey(state, lane) and lane.stopped is None for lane in state.lanes)


def _sooner(one: float, other: float | None) -> float:
    return one if other is None else min(one, other)
