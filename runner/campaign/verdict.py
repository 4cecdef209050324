"""How a run ended: its state, the reason in words, and the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner.campaign.outcomes import LETTER
from runner.errors import ExitCode
from runner.model import Outcome

if TYPE_CHECKING:
    from runner.campaign.state import RunState

RUNNING = "running"
FINISHED = "finished"  # every request is over
SUBMITTED = "submitted"  # every request is accepted or refused; its jobs are not watched
ABORTED = "aborted"  # by its own rules or by a person, and nothing is at work any more; cannot be resumed
STOPPED = "stopped"  # ended before its end, can be resumed
UNUSABLE = "unusable"  # a lane could not be used; can be resumed
INTERRUPTED = "interrupted"  # its process is gone without a word; can be resumed

OVER = frozenset({FINISHED, ABORTED})
"""The states of runs of which nothing is left to do."""


class Verdict(NamedTuple):
    """State, reason and exit code of a run that ends."""

    state: str
    reason: str
    exit_code: ExitCode


def verdict(state: RunState) -> Verdict:
    """What to say of a run whose process has nothing more to do."""
    if state.aborted is not None and not any(lane.open or lane.doubts for lane in state.lanes):
        return Verdict(ABORTED, state.aborted, ExitCode.ABORTED)
    broken = next((lane.stopped for lane in state.lanes if lane.stopped), None)
    if broken is not None:
        return Verdict(UNUSABLE, broken.message, ExitCode.UNUSABLE)
    if state.stop_reason is not None:
        return Verdict(STOPPED, state.stop_reason, ExitCode.STOPPED)
    left = _left_undone(state)
    if state.intake_ended is not None and left is not None:
        return Verdict(STOPPED, f"{state.intake_ended}: {left}", ExitCode.STOPPED)
    if not state.watched and any(lane.open for lane in state.lanes):
        clean = not (state.refused or state.conflicts or state.counts)
        return Verdict(SUBMITTED, "jobs are not watched", ExitCode.OK if clean else ExitCode.ABNORMAL)
    return _finished(state)


def _left_undone(state: RunState) -> str | None:
    """What the end of intake kept from being done; None where there is nothing."""
    unsent = sum(lane.unsubmitted for lane in state.lanes)
    if unsent:
        return f"{unsent:,} of {len(state.phases):,} requests were not sent"
    waves = state.rollout.waves[state.rollout.current :] if state.rollout else ()
    unchecked = next((wave.plan.name for wave in waves if wave.next_check is not None), None)
    return None if unchecked is None else f"wave {unchecked} is not through its checks"


def _finished(state: RunState) -> Verdict:
    total = sum(len(group.servers) for group in state.plan.groups)
    succeeded = state.counts[LETTER[Outcome.SUCCEEDED]]
    if succeeded == total and state.conflicts:
        return Verdict(FINISHED, "every server succeeded, but some have more than one job", ExitCode.ABNORMAL)
    if succeeded == total:
        return Verdict(FINISHED, "every server succeeded", ExitCode.OK)
    return Verdict(FINISHED, f"{total - succeeded} of {total} servers did not succeed", ExitCode.ABNORMAL)
