"""Submission on one lane: intent, send, answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from runner.engine.connections import Connections
from runner.rules import answers
from runner.rules.answers import Cause
from runner.rules.refusals import lane_stops, retry_at
from runner.run import events as e
from runner.run.decisions import AllSubmitted, Send, SplitUp, WaitForEvent, WaitUntil

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from runner.engine.lane import LaneContext

# An intent older than this, seconds, is not acted on: a process that was frozen must not send when it wakes.
INTENT_GOOD_FOR_S = 10.0


class Submitter:
    """Sends the requests of one lane, as many at once as the plan allows, at the lane's pace."""

    def __init__(self, lane: LaneContext) -> None:
        self._lane = lane
        self._unsent = 0
        self._connections = Connections(lambda: lane.run.concurrency)

    async def run(self) -> None:
        """Return when nothing will be sent any more and every request sent has its answer recorded."""
        lane = self._lane
        async with asyncio.TaskGroup() as sends:
            while True:
                lane.submit_news.seen()
                match lane.decide():
                    case Send(request):
                        await self._submit(request, sends)
                    case SplitUp(request, cut):
                        lane.recorder.record(e.Split(lane.clock.now(), request, cut))
                    case WaitUntil(at):
                        await lane.submit_news.wait(at - lane.clock.now())
                    case WaitForEvent():
                        await lane.submit_news.wait()
                    case AllSubmitted():
                        break

    async def _submit(self, request: int, sends: asyncio.TaskGroup) -> None:
        lane = self._lane
        # The slot itself is taken right before the create, or commits and freezes in between would bunch the creates.
        waited = await lane.creates.near(self._unsent)
        # The wait may have been long: only what is still right is done.
        if waited and lane.decide() != Send(request):
            return
        intended_at = lane.clock.monotonic()
        durable = lane.recorder.record(e.Intended(lane.clock.now(), request))
        self._unsent += 1
        sends.create_task(self._send(request, durable, intended_at))

    async def _send(self, request: int, durable: Awaitable[None], intended_at: float) -> None:
        lane = self._lane
        body = lane.body_of(request)
        await durable
        async with self._connections:
            if not lane.holds_back(request):
                await lane.creates.wait()
            self._unsent -= 1
            sent_at = lane.clock.monotonic()
            if lane.holds_back(request) or sent_at - intended_at > INTENT_GOOD_FOR_S:
                answer = None
            else:
                answer = await lane.service.create(body)
        if answer is None:
            lane.recorder.record(e.Lapsed(lane.clock.now(), request))
        else:
            self._answered(request, answer, sent_at)
        lane.submit_news.tell()

    def _answered(self, request: int, answer: answers.Answer, sent_at: float) -> None:
        lane, now = self._lane, self._lane.clock.now()
        match answer:
            case answers.Created(job=job):
                lane.recorder.record(e.Accepted(now, request, job))
                lane.job_opened(request)
            case answers.Unanswered(error=error):
                lane.recorder.record(e.InDoubt(now, request, error))
                lane.doubt_news.tell()
            case answers.Refusal(cause=Cause.THROTTLED):
                self._slow_down(request, answer, sent_at)
            case answers.Refusal():
                self._refused(request, answer)

    def _refused(self, request: int, refused: answers.Refusal) -> None:
        lane, now, cause = self._lane, self._lane.clock.now(), refused.cause
        attempts, allowed = lane.run.attempts[request], lane.run.plan.submit.attempts
        stops = lane_stops(
            cause,
            attempts=attempts,
            allowed=allowed,
            has_worked=lane.state.accepted > 0,
            unauthenticated_in_a_row=lane.state.unauthenticated_in_a_row,
        )
        again_at: float | None = now
        if not stops:
            again_at = retry_at(cause, attempts=attempts, allowed=allowed, now=now, jitter=lane.jitter())
        lane.recorder.record(e.Refused(now, request, refused.cause, refused.error, again_at))
        if stops and lane.state.stopped is None:
            lane.recorder.record(e.LaneStopped(now, lane.index, refused.error))
            lane.watch_news.tell()

    def _slow_down(self, request: int, refused: answers.Refusal, sent_at: float) -> None:
        lane = self._lane
        pause_s = lane.creates.throttled(refused.throttle, sent_at)
        now, rate = lane.clock.now(), lane.creates.rate
        lane.recorder.record(e.Throttled(now, request, refused.error, pause_s, rate))
