"""Reads of one lane: each in its turn, at the lane's pace; what a failed one means is decided in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from runner.rules.answers import Cause, ReadFailed
from runner.rules.reads import ReadAgain, ReadHistory, StopLane, after_failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runner.engine.lane import LaneContext
    from runner.engine.ports import Departure
    from runner.model import Job, JobPage
    from runner.rules.reads import AfterFailure, ReadLimits

    Read = TypeVar("Read", Job, JobPage)
T = TypeVar("T")


async def read(
    lane: LaneContext, call: Callable[[Departure], Awaitable[Read | ReadFailed | None]]
) -> Read | ReadFailed:
    """Make one read. What follows if it failed is for `what_follows`."""
    answer: Read | ReadFailed | None = None
    async with lane.reads_at_once:
        # One that could not leave, because another call was refused meanwhile, waits for its turn again.
        while answer is None and (begun := await lane.credential.enter(lane.reads.wait)) is not None:
            sent_at = lane.clock.monotonic()
            try:
                answer = await call(begun)
            finally:
                lane.credential.end(begun, answer)
    if answer is None:
        return lane.credential.refusal
    if isinstance(answer, ReadFailed) and answer.cause is Cause.THROTTLED:
        lane.reads.throttled(answer.throttle, sent_at)
    return answer


def what_follows(lane: LaneContext, history: ReadHistory, failed: ReadFailed, limits: ReadLimits) -> AfterFailure:
    """What to do after a failed read, which `history` counts. Where the lane has to stop, that is done."""
    refused = lane.credential.refused_in_a_row
    step = after_failure(history, failed, limits, now=lane.clock.now(), refused_in_a_row=refused)
    if isinstance(step, StopLane):
        lane.stop(lane.credential.why(failed.error), watched=False)
    return step


async def persist(
    lane: LaneContext, read_it: Callable[[], Awaitable[T | ReadFailed]], limits: ReadLimits
) -> T | ReadFailed:
    """Read until it is read, or must not be tried any more: then what failed last."""
    history = ReadHistory()
    while isinstance(answer := await read_it(), ReadFailed):
        history = history.after(answer, lane.clock.now())
        step = what_follows(lane, history, answer, limits)
        if not isinstance(step, ReadAgain):
            break
        await lane.clock.sleep(step.at - lane.clock.now())
    return answer
