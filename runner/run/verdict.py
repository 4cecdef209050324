"""How a run ended: its state, the reason in words, and the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner.errors import ExitCode
from runner.model import Outcome, RunState
from runner.run.waves import has_no_success

if TYPE_CHECKING:
    from runner.run.facts import Facts
    from runner.run.waves import WaveFacts


class Verdict(NamedTuple):
    """State, reason and exit code of a run that ends."""

    state: RunState
    reason: str
    exit_code: ExitCode


def verdict(state: Facts) -> Verdict:
    """What to say of a run whose process has nothing more to do."""
    if state.aborted is not None and not any(lane.open or lane.doubts for lane in state.lanes):
        return Verdict(RunState.ABORTED, state.aborted, ExitCode.ABORTED)
    broken = next((lane.stopped for lane in state.lanes if lane.stopped), None)
    if broken is not None:
        return Verdict(RunState.UNUSABLE, broken.message, ExitCode.UNUSABLE)
    if state.stop_reason is not None:
        return Verdict(RunState.STOPPED, state.stop_reason, ExitCode.STOPPED)
    left = _left_undone(state)
    if state.intake_ended is not None and left is not None:
        return Verdict(RunState.STOPPED, f"{state.intake_ended}: {left}", ExitCode.STOPPED)
    if not state.watched and any(lane.open for lane in state.lanes):
        clean = not (state.refused or state.conflicts or state.counts.total())
        return Verdict(RunState.SUBMITTED, "jobs are not watched", ExitCode.OK if clean else ExitCode.ABNORMAL)
    return _finished(state)


def _left_undone(state: Facts) -> str | None:
    """What the end of intake kept from being done; None where there is nothing."""
    unsent = sum(lane.unsubmitted for lane in state.lanes)
    if unsent:
        return f"{unsent:,} of {len(state.phases):,} requests were not sent"
    waves = state.rollout.waves[state.rollout.current :] if state.rollout else ()
    return next(filter(None, map(_not_passed, waves)), None)


def _not_passed(wave: WaveFacts) -> str | None:
    """What a wave still waits for, though all its requests are over."""
    if has_no_success(wave):
        return f"no server of wave {wave.plan.name} succeeded"
    if wave.next_check is not None:
        return f"wave {wave.plan.name} is not through its checks"
    return f"wave {wave.plan.name} is not approved" if wave.plan.approve else None


def _finished(state: Facts) -> Verdict:
    total = sum(len(group.servers) for group in state.plan.groups)
    succeeded = state.counts[Outcome.SUCCEEDED]
    if succeeded == total and state.conflicts:
        reason = "every server succeeded, but more may have been done than was asked for"
        return Verdict(RunState.FINISHED, reason, ExitCode.ABNORMAL)
    if succeeded == total:
        return Verdict(RunState.FINISHED, "every server succeeded", ExitCode.OK)
    return Verdict(RunState.FINISHED, f"{total - succeeded} of {total} servers did not succeed", ExitCode.ABNORMAL)
