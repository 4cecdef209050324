"""Settles the requests in doubt of one lane, by looking their jobs up."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from runner.campaign import events as e
from runner.campaign.answers import ReadFailed
from runner.campaign.reconciling import (
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
from runner.engine.listing import read_listing

if TYPE_CHECKING:
    from runner.engine.lane import LaneContext


class Reconciler:
    """Looks up every request in doubt until it is adopted, may be sent again, or has to be given up."""

    def __init__(self, lane: LaneContext) -> None:
        self._lane = lane
        self._inquiries: dict[int, Inquiry] = {}
        self._due: list[tuple[float, int]] = []

    async def run(self) -> None:
        """Return when nothing is in doubt and nothing can come into doubt any more."""
        lane = self._lane
        while not lane.over:
            lane.doubt_news.seen()
            self._take_up_new_doubts()
            if not lane.state.unsubmitted:
                return
            now = lane.clock.now()
            if not self._due:
                await lane.doubt_news.wait()
            elif self._due[0][0] > now:
                await lane.doubt_news.wait(self._due[0][0] - now)
            else:
                await self._look_up(heappop(self._due)[1])

    def _take_up_new_doubts(self) -> None:
        settle_s = self._lane.run.plan.submit.settle_s
        for request, doubt in self._lane.state.doubts.items():
            if request not in self._inquiries:
                self._inquiries[request] = Inquiry(doubt.since)
                heappush(self._due, (first_lookup_at(doubt.since, settle_s), request))

    async def _look_up(self, request: int) -> None:
        lane = self._lane
        name = lane.job_name_of(request)
        listing = await read_listing(lane, name)
        inquiry = self._inquiries[request]
        job_ids = None
        if not isinstance(listing, ReadFailed):
            job_ids = [row.job_id for row in listing.rows.values() if row.name == name]
            inquiry = self._inquiries[request] = inquiry.looked_up()
        submit = lane.run.plan.submit
        judgement = judge(
            inquiry,
            job_ids,
            now=lane.clock.now(),
            settle_s=submit.settle_s,
            may_resend=lane.run.attempts[request] < submit.attempts,
        )
        await self._act_on(request, judgement)

    async def _act_on(self, request: int, judgement: Judgement) -> None:
        now = self._lane.clock.now()
        match judgement:
            case LookUpAgain(at):
                heappush(self._due, (at, request))
            case Found(job_id):
                await self._adopt(request, job_id)
            case SendAgain():
                self._conclude(request, e.NotFound(now, request))
            case FoundMore(job_ids):
                reason = "more than one job has the request's name: " + ", ".join(job_ids)
                self._conclude(request, e.Conflict(now, request, job_ids, reason))
            case GiveUp(reason):
                self._conclude(request, e.GivenUp(now, request, reason))

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
