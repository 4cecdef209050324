"""The gate: what a rollout does next beside sending requests. Go on to the next wave, check, wait, hold, or abort.

A question to the facts and the queues, like `decide`, asked again after every event; most of the time the answer is to wait.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from runner.run import events as e
from runner.run.crawling import crawl_event
from runner.run.decide import decide
from runner.run.decisions import Decision, Move, WaitUntil
from runner.run.facts import StopRule
from runner.run.intake import is_anything_in_flight, is_past_deadline, is_unsurveyed, nothing_left
from runner.run.phases import Phase
from runner.run.waves import Stage, has_no_success

if TYPE_CHECKING:
    from runner.rules.budget import Cell
    from runner.run.dispatch import Dispatcher
    from runner.run.facts import Facts
    from runner.run.waves import RolloutFacts, WaveFacts

# Why intake ends at the rollout's own deadline.
DEADLINE_PASSED = "the deadline of the rollout has passed"

# How long lies between two attempts of a check, seconds.
CHECK_PAUSE_S = 10.0


@dataclass(frozen=True, slots=True)
class Patience:
    """What a run waits for: an open window, a person, whoever paused it. Without, it ends there, and can be resumed."""

    for_window: bool = True
    for_person: bool = True
    for_pause: bool = True


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


_FOR_EVER = Sleep()


@dataclass(frozen=True, slots=True)
class GateOver:
    """Nothing will be decided any more."""


GateStep = Record | MakeCheck | Sleep | GateOver


def next_step(facts: Facts, dispatcher: Dispatcher, now: float, wall: float, patience: Patience) -> GateStep:
    """What the gate does next at `now` (epoch seconds); `wall` is what the wall clock shows, for windows."""
    rollout = facts.rollout
    if rollout is None or facts.over:
        return GateOver()
    return _Gate(facts, rollout, dispatcher, now, wall, patience).next_step()


def after_check(facts: Facts, checked: e.Checked) -> e.Held | e.Aborted | None:
    """What follows from a check that failed for good; None if it did not."""
    if checked.passed or not checked.is_last or facts.rollout is None or facts.over:
        return None
    wave = facts.rollout.waves[checked.wave].plan
    reason = f"check `{wave.checks[checked.check].name}` of wave {wave.name} failed: {checked.detail}"
    return _breach(facts.rollout, checked.at, StopRule.CHECK, reason)


def _breach(
    rollout: RolloutFacts, now: float, rule: StopRule, reason: str, limit: Cell | None = None
) -> e.Held | e.Aborted:
    kind = e.Aborted if rollout.rules.on_breach == "abort" else e.Held
    if limit is None:
        return kind(now, rule, reason)
    name, scope = limit.limit.name, limit.limit.scope
    return kind(now, rule, reason, name, scope, limit.spent + limit.in_flight, limit.most)


class _Gate(NamedTuple):
    """One asking: how things stand at one moment."""

    facts: Facts
    rollout: RolloutFacts
    dispatcher: Dispatcher
    now: float
    wall: float
    patience: Patience

    def next_step(self) -> GateStep:
        rollout = self.rollout
        proof = self._proof()
        if proof is not None:
            return Record(proof)
        if is_past_deadline(self.facts, self.now, self.wall):
            return self._sleep() if is_unsurveyed(self.facts) else Record(e.IntakeEnded(self.now, DEADLINE_PASSED))
        wave = rollout.wave
        if wave is None:
            return self._after_the_last()
        if self.facts.is_waiting_for_person or wave.stage is Stage.AWAITING_APPROVAL:
            return self._wait_for_person(wave)
        return self._wave_step(wave)

    def _proof(self) -> e.Aborted | None:
        """Evidence that the change itself is bad."""
        rollout = self.rollout
        if rollout.evidence is not None and rollout.evidence.tripped:
            return e.Aborted(self.now, StopRule.SEQUENTIAL, rollout.evidence.describe())
        most = rollout.rules.abort.after_unknown
        if most is not None and rollout.unknown >= most:
            reason = f"{rollout.unknown} servers are unknown or timed out, the limit is {most}"
            return e.Aborted(self.now, StopRule.UNSURE, reason)
        return None

    def _after_the_last(self) -> GateStep:
        """Every wave is passed; what follows a failure may still be sent."""
        if all(nothing_left(self.facts, lane) for lane in self.facts.lanes):
            return GateOver()
        if self.facts.is_waiting_for_person:
            return self._sleep()
        return self._running()

    def _sleep(self, until: float | None = None) -> Sleep:
        deadline = self.rollout.deadline
        if deadline is None:
            return _FOR_EVER if until is None else Sleep(until)
        ends_at = self.now + deadline.left_s(self.now, self.wall)
        times = [time for time in (until, ends_at) if time is not None and time > self.now]
        return Sleep(min(times, default=None))

    def _wait_for_person(self, wave: WaveFacts) -> GateStep:
        if is_anything_in_flight(self.facts):
            return self._sleep()
        if all(lane.stopped is not None for lane in self.facts.lanes):
            return GateOver()  # an answer would change nothing
        controls = self.facts.controls
        is_paused = controls.paused and controls.held is None and wave.stage is not Stage.AWAITING_APPROVAL
        is_waited_for = self.patience.for_pause if is_paused else self.patience.for_person
        if is_waited_for or is_unsurveyed(self.facts):
            return self._sleep()
        return self._stop(f"a person must decide: {_undecided(self.facts, wave)}, then `runner resume`")

    def _stop(self, reason: str) -> Record:
        return Record(e.StopRequested(self.now, reason))

    def _wave_step(self, wave: WaveFacts) -> GateStep:
        index = self.rollout.current
        if wave.stage is Stage.WAITING:
            return Record(e.WaveStarted(self.now, index))
        if wave.stage is Stage.RUNNING:
            return self._running()
        if wave.stage is Stage.SOAKING and self.now < wave.soak_until:
            return self._sleep(wave.soak_until)
        return self._wave_over(wave, index)

    def _wave_over(self, wave: WaveFacts, index: int) -> GateStep:
        if has_no_success(wave):
            return Record(_breach(self.rollout, self.now, StopRule.NOTHING_SUCCEEDED, _no_success(wave)))
        if wave.next_check is not None:
            return self._check(wave)
        if wave.plan.approve:
            return Record(e.ApprovalAsked(self.now, index))
        return Record(e.WavePassed(self.now, index))

    def _check(self, wave: WaveFacts) -> GateStep:
        check = wave.plan.checks[wave.check]
        index = self.rollout.current
        if check.step is None:
            again_at = wave.check_again_at + CHECK_PAUSE_S if wave.attempts else 0.0
            return MakeCheck(index, wave.check) if self.now >= again_at else self._sleep(again_at)
        if not wave.check_open:
            return Record(e.CheckStarted(self.now, index, wave.check))
        if wave.check_left:
            return self._running()
        passed = not wave.check_failed
        detail = "" if passed else f"{wave.check_failed} servers did not succeed"
        return Record(e.Checked(self.now, index, wave.check, passed, detail, is_last=True))

    def _running(self) -> GateStep:
        """A wave at work needs nothing, unless a limit slows it to a crawl, or nothing more can be let in."""
        crawls = crawl_event(self.facts, self.rollout, self.now) if self.rollout.wave is not None else None
        if crawls is not None:
            return Record(crawls)
        if is_anything_in_flight(self.facts):
            return self._sleep()
        decisions = self._decisions()
        if is_unsurveyed(self.facts) or any(isinstance(decision, Move) for decision in decisions):
            return self._sleep()
        if (stuck := self._unusable_lane()) is not None:
            return self._end_intake(stuck)
        return self._nothing_goes(is_timed=any(isinstance(decision, WaitUntil) for decision in decisions))

    def _nothing_goes(self, *, is_timed: bool) -> GateStep:
        """Nothing is in flight, and nothing is let in now. `is_timed`: something will be, at a time that is known."""
        if self.dispatcher.closed_until is not None:
            return self._outside_windows(self.dispatcher.closed_until)
        if is_timed:
            return self._sleep()
        if (lost := self._lane_with_losses()) is not None:
            return self._end_intake(lost)
        limits = self.dispatcher.limits_waited_for()
        if limits:
            more = f"; and {len(limits) - 1} more limits" if len(limits) > 1 else ""
            return Record(_breach(self.rollout, self.now, StopRule.BUDGET, f"{limits[0].use}{more}", limits[0]))
        held_groups = self.facts.controls.held_groups
        if self.patience.for_pause or not held_groups:
            return self._sleep()
        group = self.facts.plan.groups[min(held_groups)].name
        return self._stop(f"a person must decide: group {group} is held; `runner release`, then `runner resume`")

    def _decisions(self) -> list[Decision]:
        """What each lane would do next, asked afresh: what was in the way, or a window closed for, may be gone.

        Where none sends, they are asked again: one may have let requests of another try.
        """
        lanes = range(len(self.facts.lanes))
        self.dispatcher.try_all_again()
        decisions: list[Decision] = []
        for _ in lanes[:2]:
            decisions = [decide(self.facts, self.dispatcher, lane, self.now, self.wall) for lane in lanes]
            if any(isinstance(decision, Move) for decision in decisions):
                break
        return decisions

    def _end_intake(self, lane: int) -> Record:
        return Record(e.IntakeEnded(self.now, f"lane {self.facts.plan.lanes[lane].label} cannot be used"))

    def _lane_with_losses(self) -> int | None:
        """A lane that stopped before all that it sent was over: that keeps its room until it can be used again."""
        lanes = enumerate(self.facts.lanes)
        return next((index for index, lane in lanes if lane.stopped is not None and (lane.doubts or lane.open)), None)

    def _unusable_lane(self) -> int | None:
        """The lane for which the wave cannot end in this process: it stopped, and all that is left to send is of such."""
        facts = self.facts
        stopped = [index for index, lane in enumerate(facts.lanes) if lane.stopped is not None]
        ready = (request for request, phase in enumerate(facts.phases) if phase is Phase.READY or phase is Phase.RETRY)
        if not stopped or not {facts.lane_index(request) for request in ready} <= set(stopped):
            return None
        return stopped[0]

    def _outside_windows(self, until: float) -> GateStep:
        """`until` is when the next one opens, by the wall clock."""
        if math.isinf(until):
            need = max(self.rollout.expected_s(step) for step in range(self.rollout.rules.main_steps))
            reason = f"no window is long enough for a job expected to last {need:.0f} s"
            return Record(_breach(self.rollout, self.now, StopRule.WINDOW, reason))
        if self.patience.for_window:
            return self._sleep(self.now + until - self.wall)
        opens = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return self._stop(f"no window is open before {opens}: `runner resume` then")


def _undecided(facts: Facts, wave: WaveFacts) -> str:
    """What a person must decide, and how."""
    if facts.controls.held is not None:
        return f"{facts.controls.held.reason}; `runner continue` or `runner abort`"
    if facts.controls.paused:
        return "paused; `runner continue`"
    return f"wave {wave.plan.name} waits for approval; `runner approve` or `runner reject`"


def _no_success(wave: WaveFacts) -> str:
    counts = ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in wave.counts.items() if count)
    return f"no server of wave {wave.plan.name} succeeded: {counts}"
