"""Reads of one lane: each in its turn, at the lane's pace; what a failed one means is decided in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from runner.engine.coming_back import why_to_stop
from runner.engine.failing import About, What
from runner.rules.answers import Cause, ReadFailed, Throttle
from runner.rules.reads import ReadAgain, ReadHistory, StopLane, after_failure, ends_at, not_before
from runner.run.outages import AfterThat

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runner.engine.calls import LaneCredential
    from runner.engine.lane import LaneContext
    from runner.engine.pace import Pace
    from runner.engine.ports import Clock, Departure
    from runner.model import Job, JobPage, ListedPage
    from runner.rules.reads import AfterFailure, ReadLimits

    Read = TypeVar("Read", Job, JobPage, ListedPage)
T = TypeVar("T")


async def read(
    lane: LaneContext, call: Callable[[Departure], Awaitable[Read | ReadFailed | None]], *, may_be_left: bool = False
) -> Read | ReadFailed:
    """Make one read. What follows if it failed is for `what_follows`.

    A limit that is named to one that `may_be_left` out may be that of its own kind of call (api-facts 5): others are not
    held to it before they are told, too.
    """
    async with lane.reads_at_once:
        answer, sent_at = await made_in_turn(lane.credential, lane.reads, lane.clock, call)
    if sent_at is None:
        return answer
    if not isinstance(answer, ReadFailed) or answer.missing:
        lane.reads.passed(sent_at)
    elif answer.cause is Cause.THROTTLED:
        too_long = why_to_stop(lane, answer.error, answer.throttle)
        if too_long is None:
            lane.reads.throttled(_unnamed(answer.throttle) if may_be_left else answer.throttle, sent_at)
        else:
            lane.stop(too_long, watched=False)
    return answer


async def made_in_turn(
    credential: LaneCredential,
    pace: Pace,
    clock: Clock,
    call: Callable[[Departure], Awaitable[Read | ReadFailed | None]],
) -> tuple[Read | ReadFailed, float | None]:
    """What a read brought, and when it was sent (monotonic); None: it was not, for the credential is refused."""
    answer: Read | ReadFailed | None = None
    sent_at = None
    # One that could not leave, because another call was refused meanwhile, waits for its turn again.
    while answer is None and (begun := await credential.enter(pace.wait)) is not None:
        sent_at = clock.monotonic()
        try:
            answer = await call(begun)
        finally:
            credential.end(begun, answer)
    return (credential.refusal, None) if answer is None else (answer, sent_at)


def _unnamed(throttle: Throttle | None) -> Throttle:
    return Throttle(retry_after_s=None if throttle is None else throttle.retry_after_s)


def what_follows(
    lane: LaneContext, history: ReadHistory, failed: ReadFailed, limits: ReadLimits, about: About | None
) -> AfterFailure:
    """What to do after a failed read, which `history` counts. Where the lane has to stop, that is done.

    What it is `about` is known to fail from then on, until somebody tells that it works; not where a job is only missing.
    """
    refused = lane.credential.refused_in_a_row
    now = lane.clock.now()
    step = after_failure(history, failed, limits, now=now, refused_in_a_row=refused)
    step = not_before(step, limits, min(failed.after_s, lane.run.plan.submit.longest_pause_s), now)
    if isinstance(step, StopLane):
        lane.stop(lane.credential.why(failed.error), watched=False)
    elif about is not None and not isinstance(step, ReadAgain):
        lane.failing.given_up(about.key)
    elif about is not None and not failed.missing:
        lane.failing.fails(about, failed, history, until=ends_at(history, failed, limits))
    return step


async def persist(
    lane: LaneContext, read_it: Callable[[], Awaitable[T | ReadFailed]], limits: ReadLimits
) -> T | ReadFailed:
    """Read the list, or a part of it, until it is read, or must not be tried any more: then what failed last.

    What is only tried for a moment is not known to fail: whoever asked for it has more patience, or none.
    """
    history = ReadHistory()
    about = About(read_it, What.LIST, AfterThat.LANE_STOPS) if limits.over_s else None
    while True:
        asked_at = lane.clock.now()
        answer = await read_it()
        if not isinstance(answer, ReadFailed):
            break
        history = history.after(answer, asked_at)
        step = what_follows(lane, history, answer, limits, about)
        if not isinstance(step, ReadAgain):
            return answer
        await lane.clock.sleep(step.at - lane.clock.now())
    if history.failed and about is not None:
        lane.failing.works(about.key)
    return answer
