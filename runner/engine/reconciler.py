"""Settles the requests in doubt of one lane, by looking their jobs up."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from runner.engine.failing import About, What
from runner.engine.lookups import FEW, Lookups
from runner.engine.reading import read, what_follows
from runner.rules.absence import unproven
from runner.rules.answers import ReadFailed, ReadFailures
from runner.rules.doubts import (
    Found,
    FoundMore,
    GiveUp,
    Inquiry,
    LookUpAgain,
    SendAgain,
    first_lookup_at,
    give_up,
    has_other_servers,
    judge,
    read_limits,
)
from runner.rules.names import ShownNames, folded
from runner.rules.reads import ReadAgain, StopLane
from runner.run import events as e
from runner.run.outages import AfterThat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.engine.lane import LaneContext
    from runner.engine.lookups import LookedUp
    from runner.model import Job, JobRow

# How long a lookup waits for others that are due soon, seconds.
_TOGETHER_S = 1.0
_AT_ONCE = 32


class Reconciler:
    """Looks up every request in doubt until it is adopted, may be sent again, or has to be given up."""

    def __init__(self, lane: LaneContext) -> None:
        self._lane = lane
        self._inquiries: dict[int, Inquiry] = {}
        self._lookups = Lookups(lane)
        self._limits = read_limits(lane.run.plan.submit.settle_s, lane.run.plan.submit.outage_s)
        self._due: list[tuple[float, int]] = []

    async def run(self) -> None:
        """Return when nothing is in doubt and nothing can come into doubt any more."""
        lane = self._lane
        while not lane.over:
            lane.doubt_news.seen()
            self._take_up_new_doubts()
            if not lane.jobs_may_come:
                return
            now = lane.clock.now()
            if not self._due:
                await lane.doubt_news.wait()
            elif self._due[0][0] > now:
                await lane.doubt_news.wait(self._due[0][0] - now)
            else:
                await self._look_up(await self._take_due(now))

    def _take_up_new_doubts(self) -> None:
        lane, settle_s = self._lane, self._lane.run.plan.submit.settle_s
        for request, doubt in lane.state.doubts.items():
            if request not in self._inquiries:
                sighted = lane.sighted.pop(folded(lane.job_name_of(request)), None) if lane.sighted else None
                self._inquiries[request] = Inquiry(doubt.since, row=sighted)
                heappush(self._due, (first_lookup_at(doubt.since, settle_s), request))

    async def _take_due(self, now: float) -> list[int]:
        """The requests that are due. Where more than a few are, or will be in a moment, one list is to answer for all."""
        until = now + _TOGETHER_S
        if sum(at <= until for at, _ in self._due) > FEW:
            await self._lane.clock.sleep(_TOGETHER_S)
            self._take_up_new_doubts()
        now = self._lane.clock.now()
        due: list[int] = []
        while self._due and self._due[0][0] <= now:
            due.append(heappop(self._due)[1])
        return due

    async def _look_up(self, due: Sequence[int]) -> None:
        due = list(filter(self._is_in_doubt, due))
        async with aclosing(self._lookups.of([r for r in due if self._inquiries[r].row is None])) as lookups:
            async for looked_up in lookups:
                self._take_in(looked_up)
        await self._adopt_all([r for r in due if r in self._inquiries and self._inquiries[r].row is not None])

    def _is_in_doubt(self, request: int) -> bool:
        """The survey may have found out meanwhile."""
        if request in self._lane.state.doubts:
            return True
        inquiry = self._inquiries.pop(request, None)
        if inquiry is not None and inquiry.reads.failed:
            self._lane.failing.works(request)
        return False

    def _take_in(self, looked_up: LookedUp) -> None:
        requests = filter(self._is_in_doubt, looked_up.requests)
        if isinstance(looked_up.rows, ReadFailed):
            for request in requests:
                self._read_failed(request, looked_up.rows)
            return
        lane, shown = self._lane, ShownNames(looked_up.rows)
        for request in requests:
            name = lane.job_name_of(request)
            rows = shown.of(name)
            why = None if rows else looked_up.unproven or shown.cut(name, lane.known.manner, lane.known.is_known)
            if why is None:
                self._judge(request, looked_up.asked_at, rows)
            else:
                self._read_failed(request, unproven(why))

    def _was_read(self, request: int) -> None:
        if self._inquiries[request].reads.failed:
            self._lane.failing.works(request)

    def _judge(self, request: int, asked_at: float, rows: Sequence[JobRow]) -> None:
        """What to make of a lookup that began at `asked_at`: how long it took gave no job the time to be listed."""
        lane = self._lane
        submit = lane.run.plan.submit
        may_resend = lane.run.attempts[request] < submit.attempts
        self._was_read(request)
        inquiry = self._inquiries[request] = self._inquiries[request].looked_up()
        job_ids = [row.job_id for row in rows]
        judgement = judge(inquiry, job_ids, now=asked_at, settle_s=lane.known.settle_s, may_resend=may_resend)
        if isinstance(judgement, Found):
            self._inquiries[request] = replace(inquiry, row=rows[0])
        else:
            self._act_on(request, judgement)

    def _act_on(self, request: int, judgement: LookUpAgain | SendAgain | FoundMore | GiveUp) -> None:
        now = self._lane.clock.now()
        match judgement:
            case LookUpAgain(at):
                heappush(self._due, (at, request))
            case SendAgain():
                self._conclude(request, e.NotFound(now, request))
            case FoundMore(job_ids):
                reason = "more than one job has the request's name: " + ", ".join(job_ids)
                self._conclude(request, e.Conflict(now, request, job_ids, reason))
            case GiveUp(reason):
                self._conclude(request, e.GivenUp(now, request, reason))

    def _read_failed(self, request: int, failed: ReadFailed) -> None:
        """A read failed, of the list or of the job that was found there."""
        lane, now = self._lane, self._lane.clock.now()
        inquiry = self._inquiries[request] = self._inquiries[request].read_failed(failed, now)
        stays = inquiry.row is None and not failed.answered
        about = About(request, What.DOUBT, AfterThat.LANE_STOPS if stays else AfterThat.GIVEN_UP)
        match what_follows(lane, inquiry.reads, failed, self._limits, about):
            case ReadAgain(at):
                self._act_on(request, LookUpAgain(at))
            case StopLane():
                pass  # in doubt until the run is resumed
            case _ if stays:
                # That the list cannot be read is not about the request: it stays in doubt until the run is resumed.
                lane.stop(failed.error, watched=True)
            case _:
                failures = ReadFailures(inquiry.reads.failed, failed.error, unread=True)
                self._conclude(request, e.GivenUp(now, request, give_up(inquiry, failed, now).reason, failures))

    async def _adopt_all(self, found: Sequence[int]) -> None:
        for start in range(0, len(found), _AT_ONCE):
            async with asyncio.TaskGroup() as reads:
                for request in found[start : start + _AT_ONCE]:
                    reads.create_task(self._adopt(request, self._inquiries[request].row))

    async def _adopt(self, request: int, row: JobRow | None) -> None:
        if row is None:
            return
        lane, job_id = self._lane, row.job_id
        job = await read(lane, lambda call: lane.service.get(job_id, call))
        now = lane.clock.now()
        if isinstance(job, ReadFailed):
            self._read_failed(request, job)
            return
        self._was_read(request)
        why = self._not_of(request, job)
        if why is not None:
            reason = f"the job of the request's name, {job_id}, {why}"
            self._conclude(request, e.Conflict(now, request, (job_id,), reason))
        else:
            self._conclude(request, e.Adopted(now, request, job))
            lane.job_opened(request, job)
            lane.known.was_read(request, job)

    def _not_of(self, request: int, job: Job) -> str | None:
        """Why a job that is listed under the request's name is not the request's; None if it is."""
        lane = self._lane
        if lane.known.is_known(job.job_id):
            return "is that of an earlier request"
        if not lane.known.manner.is_of(lane.job_name_of(request), job.name):
            return f"has the name {job.name!r} where it is read itself"
        if has_other_servers(job, (server.id for server in lane.run.servers_of(request))):
            return "works on servers that the request did not name"
        return None

    def _conclude(self, request: int, event: e.Event) -> None:
        del self._inquiries[request]
        self._lane.recorder.record(event)
        self._lane.leave_out_due()
        self._lane.submit_news.tell()
        self._lane.watch_news.tell()
