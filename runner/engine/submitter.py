"""Submission on one lane: intent, send, answer."""

from __future__ import annotations

import asyncio
import math
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from runner.engine.coming_back import why_to_stop
from runner.engine.connections import Connections
from runner.engine.failing import About, What
from runner.engine.leaving import NotLeft
from runner.model import RUNNER
from runner.rules import answers
from runner.rules.answers import Cause
from runner.rules.doubts import about_another
from runner.rules.reads import ReadHistory
from runner.rules.refusals import NEVER_REACHED_S, lane_stops, retry_at
from runner.run import events as e
from runner.run.blaming import after_refusal
from runner.run.decisions import AllSubmitted, LeaveOut, Send, SplitUp, WaitForEvent, WaitUntil
from runner.run.outages import AfterThat

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from runner.engine.calls import Call
    from runner.engine.lane import LaneContext
    from runner.model import Job

# An intent older than this, seconds, is not acted on: a process that was frozen must not send when it wakes.
INTENT_GOOD_FOR_S = 10.0
# How often to look whether a journal that another process blocks is free again, seconds.
_LOOK_AGAIN_S = 0.5
# How long before its slot a request is intended: twice what a commit took of late, within these bounds, seconds. Longer
# than needed, and a throttled answer meanwhile lets the intent grow old; shorter, and slots pass unused.
_SHORTEST_LEAD_S = 0.01
_LONGEST_LEAD_S = 2.0
# A slot that was taken longer ago, seconds, is not used any more: several would be used at once.
_SLOT_GOOD_FOR_S = 0.002
# What is kept of the longest commit at each that was shorter.
_FADE = 0.9
_CREATES = About("creates", What.CREATE, AfterThat.LANE_STOPS)


class Intent(NamedTuple):
    """A request that is to be sent once that is `durable`. `at` is when it was intended (monotonic)."""

    request: int
    at: float
    durable: Awaitable[None]


class Submitter:
    """Sends the requests of one lane, as many at once as the plan allows, at the lane's pace."""

    def __init__(self, lane: LaneContext) -> None:
        self._lane = lane
        self._unsent = 0
        self._commit_s = 0.0
        self._goes_ahead = True  # without a limit, of a free connection: not where answers take too long for that
        self._connections = Connections(lambda: self._at_once)
        self._unreached = ReadHistory()
        self._not_left = NotLeft()

    @property
    def _at_once(self) -> int:
        """How many creates may be on their way at once: what is asked for, and what the system has connections for."""
        return min(self._lane.run.concurrency, self._lane.most_sends)

    async def run(self) -> None:
        """Return when nothing will be sent any more and every request sent has its answer recorded."""
        lane = self._lane
        async with asyncio.TaskGroup() as sends:
            await self._let_out(sends)
            if lane.sends_no_more:
                self._not_left.break_off()

    async def _let_out(self, sends: asyncio.TaskGroup) -> None:
        """Return when nothing will be sent any more."""
        lane = self._lane
        while True:
            lane.submit_news.seen()
            match lane.decide():
                case Send() | SplitUp() if not lane.recorder.may_intend:
                    await lane.submit_news.wait(_LOOK_AGAIN_S)
                case Send(request) if lane.creates.limited or not self._goes_ahead:
                    await self._intend_if_near(request, sends)
                case Send(request):
                    self._intend(request, sends)
                case SplitUp(request, cut):
                    lane.recorder.record(e.Split(lane.clock.now(), request, cut))
                case LeaveOut(request, why):
                    lane.recorder.record(e.Withdrawn(lane.clock.now(), request, RUNNER, why))
                case WaitUntil(at):
                    await lane.submit_news.wait(at - lane.clock.now())
                case WaitForEvent():
                    await lane.submit_news.wait()
                case AllSubmitted():
                    break

    async def _intend_if_near(self, request: int, sends: asyncio.TaskGroup) -> None:
        """Intend the request if it could be sent soon; else wait until it may be so, or something happens.

        The slot itself is taken right before the create: commits in between would bunch the creates.
        """
        lane = self._lane
        if not self._goes_ahead and self._unsent + self._connections.used >= self._at_once:
            await lane.submit_news.wait()
        elif near_in := lane.creates.near_in(self._unsent, self._lead_s):
            await lane.submit_news.wait(near_in)
        else:
            self._intend(request, sends)

    @property
    def _lead_s(self) -> float:
        return min(max(2 * self._commit_s, _SHORTEST_LEAD_S), _LONGEST_LEAD_S)

    def _intend(self, request: int, sends: asyncio.TaskGroup) -> None:
        lane = self._lane
        at = lane.clock.monotonic()
        self._unsent += 1
        durable = lane.recorder.record(e.Intended(lane.clock.now(), request))
        sends.create_task(self._send(Intent(request, at, durable)))

    async def _send(self, intent: Intent) -> None:
        lane = self._lane
        body = lane.body_of(intent.request)
        await intent.durable
        if lane.creates.limited:
            self._commit_s = max(lane.clock.monotonic() - intent.at, _FADE * self._commit_s)
        answer: answers.Answer | None = None
        async with self._connections:
            if lane.creates.limited or lane.credential.is_doubted:
                call = await lane.credential.enter(partial(self.take_slot, intent), partial(self.may_send_now, intent))
            else:
                call = lane.credential.begin()
            self._unsent -= 1
            sent_at = lane.clock.monotonic()
            if call is not None:
                if not lane.sends_no_more:  # else there might be a login for nothing; the last look is `_Departure`'s
                    departure = _Departure(self, call, intent, sent_at)
                    answer = await self._not_left.answer(lane.service.create(body, departure))
                lane.credential.end(call, answer)
        if answer is None:
            self._goes_ahead = self._goes_ahead and sent_at - intent.at <= INTENT_GOOD_FOR_S
            self._lapsed(intent.request)
        else:
            self._goes_ahead = self._goes_ahead or lane.clock.monotonic() - sent_at < INTENT_GOOD_FOR_S / 2
            self._answered(intent.request, answer, sent_at)
        lane.submit_news.tell()

    def _lapsed(self, request: int) -> None:
        lane = self._lane
        lane.recorder.record(e.Lapsed(lane.clock.now(), request))
        if lane.credential.is_exhausted:  # by another lane perhaps, or before this process began
            lane.stop(lane.credential.refusal.error, watched=False)

    async def take_slot(self, intent: Intent) -> bool:
        """Wait for a slot of the lane's rate; False: the request may not be sent then."""
        lane = self._lane
        return await lane.creates.wait(lambda ahead: self._may_send(intent, lane.clock.monotonic() + ahead))

    def may_send_now(self, intent: Intent) -> bool:
        """Whether the request may be sent, as things stand."""
        return self._may_send(intent, self._lane.clock.monotonic())

    async def is_in_time(self, intent: Intent, slot_until: float) -> bool:
        """The last look of all, and another slot where the first is gone: before the first byte there may be a login."""
        lane = self._lane
        now = lane.clock.monotonic()
        if now > slot_until and lane.creates.limited:
            return await self.take_slot(intent) and self.may_send_now(intent)
        return self._may_send(intent, now)

    def leaves(self) -> None:
        """A create is on its way from now on."""
        self._not_left.leaves()

    def comes_back(self) -> None:
        """What left was refused, and leaves again perhaps."""
        self._not_left.comes_back()

    def _may_send(self, intent: Intent, at: float) -> bool:
        """Whether the request may be sent `at` a time (monotonic), as things stand. The last look before it leaves.

        A process that was frozen, or could not renew that it has the run, may have been replaced meanwhile.
        """
        lane = self._lane
        return at - intent.at <= INTENT_GOOD_FOR_S and lane.recorder.may_send and not lane.holds_back(intent.request)

    def _answered(self, request: int, answer: answers.Answer, sent_at: float) -> None:
        lane, now = self._lane, self._lane.clock.now()
        match answer:
            case answers.Created(job=job, request_id=request_id):
                lane.creates.passed(sent_at)
                self._created(request, job, request_id)
            case answers.Unanswered(error=error, after_s=after_s):
                if after_s:
                    lane.creates.pause(after_s)
                lane.recorder.record(e.InDoubt(now, request, error))
                lane.doubt_news.tell()
            case answers.Refusal(cause=Cause.THROTTLED):
                self._slow_down(request, answer, sent_at)
            case answers.Refusal(cause=Cause.INVALID | Cause.BUSY):
                lane.creates.passed(sent_at)  # it got through: the service itself refused it
                for event in after_refusal(lane.run, request, answer, now, lane.jitter()):
                    lane.recorder.record(event)
                lane.doubt_news.tell()
            case answers.Refusal():
                self._refused(request, answer)
        if self._unreached.failed and lane.state.unreachable_since is None:
            self._unreached = ReadHistory()
            lane.failing.works(_CREATES.key)

    def _created(self, request: int, job: Job, request_id: str | None) -> None:
        """An answer about another job says nothing of the request's own, which is looked up then."""
        lane, now = self._lane, self._lane.clock.now()
        why = about_another(
            job,
            sent=lane.job_name_of(request),
            server_ids=(server.id for server in (lane.run.servers_of(request) if job.tasks else ())),
            manner=lane.known.manner,
            is_known=lane.known.is_known,
        )
        if why is None:
            lane.recorder.record(e.Accepted(now, request, job))
            lane.job_opened(request, job)
        else:
            error = answers.ServiceError(None, None, f"the answer is about another job: {why}", request_id)
            lane.recorder.record(e.InDoubt(now, request, error))
            lane.doubt_news.tell()

    def _refused(self, request: int, refused: answers.Refusal) -> None:
        lane, now, cause = self._lane, self._lane.clock.now(), refused.cause
        since = lane.state.unreachable_since
        outage_s = 0.0 if since is None else now - since
        patience_s = lane.run.plan.submit.outage_s
        patience_s = patience_s if lane.state.accepted else min(patience_s, NEVER_REACHED_S)
        stops = lane_stops(
            cause,
            outage_s=outage_s,
            patience_s=patience_s,
            unauthenticated_in_a_row=lane.credential.refused_in_a_row,
        )
        again_at = now
        if not stops:
            attempts = lane.run.attempts[request]
            again_at = retry_at(cause, attempts=attempts, now=now, jitter=lane.jitter(), outage_s=outage_s)
        lane.recorder.record(e.Refused(now, request, refused.cause, refused.error, again_at))
        if stops:
            lane.failing.given_up(_CREATES.key)
            unauthenticated = cause is Cause.UNAUTHENTICATED
            error = lane.credential.why(refused.error) if unauthenticated else refused.error
            lane.stop(error, watched=not unauthenticated)
        elif cause is Cause.UNREACHABLE:
            self._unreached = self._unreached.after(refused, now)
            lane.failing.fails(_CREATES, refused, self._unreached, until=(now if since is None else since) + patience_s)

    def _slow_down(self, request: int, refused: answers.Refusal, sent_at: float) -> None:
        lane = self._lane
        too_long = why_to_stop(lane, refused.error, refused.throttle)
        pause_s = 0.0 if too_long else lane.creates.throttled(refused.throttle, sent_at)
        now, rate = lane.clock.now(), lane.creates.rate
        lane.recorder.record(e.Throttled(now, request, refused.error, pause_s, rate))
        if too_long is not None:
            lane.stop(too_long, watched=True)


class _Departure:
    """Whether a create may leave, as far as its credential, its slot and its intent go."""

    __slots__ = ("_call", "_intent", "_slot_until", "_submitter")

    def __init__(self, submitter: Submitter, call: Call, intent: Intent, slot_at: float) -> None:
        self._submitter = submitter
        self._call = call
        self._intent = intent
        self._slot_until = slot_at + _SLOT_GOOD_FOR_S

    def refused(self) -> None:
        """See `Departure.refused`."""
        self._call.refused()
        self._submitter.comes_back()

    async def leave(self) -> bool:
        """See `Departure.leave`."""
        submitter, intent = self._submitter, self._intent
        call, still = self._call, partial(submitter.may_send_now, intent)
        is_first = not call.has_left
        may_leave = is_first or await call.again(still)
        while may_leave:
            slot_until, self._slot_until = self._slot_until, -math.inf
            if not await submitter.is_in_time(intent, slot_until):
                return False
            # Last: while it waited for another slot, a call may have been refused.
            if call.leave_now() if is_first else not call.is_overtaken:
                submitter.leaves()
                return True
            may_leave = not is_first and await call.anew(still)
        return False
