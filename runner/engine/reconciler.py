"""Settles the requests in doubt of one lane, by looking their jobs up."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from runner.engine.lookups import FEW, Lookups
from runner.rules.answers import ReadFailed
from runner.rules.doubts import (
    Found,
    FoundMore,
    GiveUp,
    Inquiry,
    Judgement,
    LookUpAgain,
    SendAgain,
    first_lookup_at,
    has_other_servers,
    judge,
)
from runner.run import events as e

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.engine.lane import LaneContext
    from runner.engine.lookups import LookedUp

# How long a lookup waits for others that are due soon, seconds.
_TOGETHER_S = 1.0
_AT_ONCE = 32


class Reconciler:
    """Looks up every request in doubt until it is adopted, may be sent again, or has to be given up."""

    def __init__(self, lane: LaneContext) -> None:
        self._lane = lane
        self._inquiries: dict[int, Inquiry] = {}
        self._lookups = Lookups(lane)
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
        settle_s = self._lane.run.plan.submit.settle_s
        for request, doubt in self._lane.state.doubts.items():
            if request not in self._inquiries:
                self._inquiries[request] = Inquiry(doubt.since)
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
        found: list[tuple[int, str]] = []
        async with aclosing(self._lookups.of(due)) as lookups:
            async for looked_up in lookups:
                jobs = self._jobs_by_name(looked_up)
                for request in filter(self._is_in_doubt, looked_up.requests):
                    judgement = self._judge(request, looked_up.asked_at, jobs)
                    if isinstance(judgement, Found):
                        found.append((request, judgement.job_id))
                    else:
                        self._act_on(request, judgement)
        await self._adopt_all(found)

    def _is_in_doubt(self, request: int) -> bool:
        """The survey may have found out meanwhile."""
        if request in self._lane.state.doubts:
            return True
        self._inquiries.pop(request, None)
        return False

    def _jobs_by_name(self, looked_up: LookedUp) -> Mapping[str, list[str]] | None:
        if isinstance(looked_up.rows, ReadFailed):
            return None
        jobs: dict[str, list[str]] = {}
        for row in looked_up.rows:
            jobs.setdefault(row.name or "", []).append(row.job_id)
        return jobs

    def _judge(self, request: int, asked_at: float, jobs: Mapping[str, list[str]] | None) -> Judgement:
        """What to make of a lookup that began at `asked_at`: how long it took gave no job the time to be listed."""
        lane = self._lane
        submit = lane.run.plan.submit
        may_resend = lane.run.attempts[request] < submit.attempts
        inquiry = self._inquiries[request]
        if jobs is None:
            return judge(inquiry, None, now=lane.clock.now(), settle_s=submit.settle_s, may_resend=may_resend)
        inquiry = self._inquiries[request] = inquiry.looked_up()
        job_ids = jobs.get(lane.job_name_of(request), [])
        return judge(inquiry, job_ids, now=asked_at, settle_s=submit.settle_s, may_resend=may_resend)

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

    async def _adopt_all(self, found: Sequence[tuple[int, str]]) -> None:
        for start in range(0, len(found), _AT_ONCE):
            async with asyncio.TaskGroup() as reads:
                for request, job_id in found[start : start + _AT_ONCE]:
                    reads.create_task(self._adopt(request, job_id))

    async def _adopt(self, request: int, job_id: str) -> None:
        lane = self._lane
        await lane.reads.wait()
        job = await lane.service.get(job_id)
        now = lane.clock.now()
        if isinstance(job, ReadFailed):
            heappush(self._due, (now + 2.0, request))
        elif has_other_servers(job, (server.id for server in lane.run.servers_of(request))):
            reason = f"the job of the request's name, {job_id}, works on servers that the request did not name"
            self._conclude(request, e.Conflict(now, request, (job_id,), reason))
        else:
            self._conclude(request, e.Adopted(now, request, job))
            lane.job_opened(request)

    def _conclude(self, request: int, event: e.Event) -> None:
        del self._inquiries[request]
        self._lane.recorder.record(event)
        self._lane.submit_news.tell()
        self._lane.watch_news.tell()
