"""What to do after a read that failed: one rule, whoever reads, and whatever is read: a job, a page, the whole list.

A read changes nothing, so it may always be made again. What must end is a row of reads that all fail.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runner.rules.answers import Cause, ReadFailed
from runner.rules.refusals import UNAUTHENTICATED_LIMIT

if TYPE_CHECKING:
    from runner.rules.answers import Refusal

# So often, and over the settle time, a job must be missing before it counts as gone: it may not be known yet.
MISSING_READS = 3
# How long reads may fail before what they are for is given up, seconds.
UNREADABLE_S = 600.0
# Where what answers is not the service at all, for every call: waiting does not help then, seconds.
NOT_THE_SERVICE_S = 60.0
_LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class ReadHistory:
    """The reads of one thing that failed since it was last read: how many, since when (epoch seconds).

    `missing` are those that said the service knows no such job; what is broken in between says nothing of that.
    `incomplete` counts reads that did not fail, but showed a job over and not all its tasks.
    """

    failed: int = 0
    since: float = 0.0
    missing: int = 0
    missing_since: float = 0.0
    incomplete: int = 0

    def after(self, failed: ReadFailed | Refusal, now: float) -> ReadHistory:
        """The history after one more that failed; of creates that did not come through, it counts those."""
        history = replace(self, failed=self.failed + 1, since=self.since if self.failed else now)
        if not isinstance(failed, ReadFailed) or not failed.missing:
            return history
        return replace(history, missing=self.missing + 1, missing_since=self.missing_since if self.missing else now)

    def after_incomplete(self) -> ReadHistory:
        """The history after one more that was incomplete."""
        return ReadHistory(incomplete=self.incomplete + 1)


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """When a row of failed reads ends: after so many `reads`, over at least `over_s` seconds, and not before `until`.

    A job that is missing is gone after MISSING_READS over `settle_s`. `pause_s` follows the first that failed; each pause
    is twice the one before, up to a minute.
    """

    reads: int = 3
    over_s: float = UNREADABLE_S
    until: float = 0.0
    settle_s: float = 0.0
    pause_s: float = 2.0


@dataclass(frozen=True, slots=True)
class ReadAgain:
    """Read it again at `at`, epoch seconds."""

    at: float


@dataclass(frozen=True, slots=True)
class Gone:
    """The service no longer knows the job."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """It could not be read for as long as it may be tried."""


@dataclass(frozen=True, slots=True)
class StopLane:
    """The credential is refused: nothing more may be called on the lane."""


AfterFailure = ReadAgain | Gone | Unreadable | StopLane


def after_failure(
    history: ReadHistory, failed: ReadFailed, limits: ReadLimits, *, now: float, refused_in_a_row: int
) -> AfterFailure:
    """What follows from a failed read, which `history` counts already.

    `refused_in_a_row` counts the calls of the lane, of every kind, that were refused as unauthenticated. A throttled read
    may be made again at once: the pace keeps it waiting.
    """
    if failed.cause is Cause.UNAUTHENTICATED and refused_in_a_row >= UNAUTHENTICATED_LIMIT:
        return StopLane()
    if history.missing >= MISSING_READS and now - history.missing_since >= limits.settle_s:
        return Gone()
    if history.failed >= limits.reads and now >= ends_at(history, failed, limits):
        return Unreadable()
    if failed.cause is Cause.THROTTLED:
        return ReadAgain(now)
    return read_again(history, limits, now)


def read_again(history: ReadHistory, limits: ReadLimits, now: float) -> ReadAgain:
    """The next read, after the pause that so many failed ones ask for."""
    return ReadAgain(now + min(_LONGEST_PAUSE_S, limits.pause_s * 2.0 ** min(history.failed - 1, 16)))


def not_before(step: AfterFailure, limits: ReadLimits, after_s: float, now: float) -> AfterFailure:
    """The same, but the next read only once the service may be asked again: in `after_s` seconds.

    What is only tried for a moment is left to whoever has more patience.
    """
    if not after_s or not isinstance(step, ReadAgain):
        return step
    return ReadAgain(max(step.at, now + after_s)) if limits.over_s else Unreadable()


def ends_at(history: ReadHistory, failed: ReadFailed, limits: ReadLimits) -> float:
    """When it is given up, epoch seconds, if all reads until then fail as the last one did."""
    is_service = failed.cause is not Cause.UNUSABLE and not failed.elsewhere
    over_s = limits.over_s if is_service else min(limits.over_s, NOT_THE_SERVICE_S)
    return max(history.since + over_s, limits.until)
