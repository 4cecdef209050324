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
STOPPED = "stopped"  # ended before its end, can be resumed
UNUSABLE = "unusable"  # a lane could not be used; can be resumed
INTERRUPTED = "interrupted"  # its process is gone without a word; can be resumed


class Verdict(NamedTuple):
    """State, reason and exit code of a run that ends."""

    state: str
    reason: str
    exit_code: ExitCode


def verdict(state: RunState) -> Verdict:
    """What to say of a run whose process has nothing more to do."""
    broken = next((lane.stopped for lane in state.lanes if lane.stopped), None)
    if broken is not None:
        return Verdict(UNUSABLE, broken.message, ExitCode.UNUSABLE)
    if state.stop_reason is not None:
        return Verdict(STOPPED, state.stop_reason, ExitCode.STOPPED)
    if not state.watched and any(lane.open for lane in state.lanes):
        clean = not (state.refused or state.conflicts or state.counts)
        return Verdict(SUBMITTED, "jobs are not watched", ExitCode.OK if clean else ExitCode.ABNORMAL)
    total = sum(len(group.servers) for group in state.plan.groups)
    succeeded = state.counts[LETTER[Outcome.SUCCEEDED]]
    if succeeded == total and state.conflicts:
        return Verdict(FINISHED, "every server succeeded, but some have more than one job", ExitCode.ABNORMAL)
    if succeeded == total:
        return Verdict(FINISHED, "every server succeeded", ExitCode.OK)
    return Verdict(FINISHED, f"{total - succeeded} of {total} servers did not succeed", ExitCode.ABNORMAL)
