"""Looks at the whole job list: before a resumed run sends anything, and before any run with doubts ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.campaign import events as e
from runner.campaign.answers import Cause, ReadFailed
from runner.campaign.refusals import UNAUTHENTICATED_LIMIT
from runner.campaign.survey import UNSENT, doubles, unknown_jobs
from runner.engine.listing import Listing, read_listing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runner.engine.lane import LaneContext
    from runner.model import JobRow

# For how many tries a list that cannot be read is waited for, about ten minutes in all; the run can be resumed then.
_MOST_TRIES = 14
_LONGEST_PAUSE_S = 60.0


class Surveyor:
    """Finds jobs of one lane that the journal does not tell of."""

    def __init__(self, lane: LaneContext) -> None:
        self._lane = lane
        run = lane.run
        self._requests = [
            index
            for index, request in enumerate(run.plan.requests)
            if run.plan.groups[request.group].lane == lane.index
        ]

    async def before_sending(self) -> None:
        """After a crash: let the lane send only when every job that its requests may have made is known of.

        The end of the journal may be lost with the machine, so a request that looks unsent may have a job. A new job
        may take as long as the settle time to be listed.
        """
        lane = self._lane
        since = lane.state.unsurveyed_since
        if since is None or not lane.state.unsubmitted:
            return
        await lane.clock.sleep(since + lane.run.plan.submit.settle_s - lane.clock.now())
        unsent = [index for index in self._requests if lane.run.phases[index] in UNSENT]
        listed = await self._rows(unsent)
        now = lane.clock.now()
        if isinstance(listed, ReadFailed):
            lane.recorder.record(e.LaneStopped(now, lane.index, listed.error))
            lane.doubt_news.tell()
            lane.watch_news.tell()
        else:
            for found in unknown_jobs(lane.run, self._by_name(self._requests), listed):
                lane.recorder.record(e.Suspected(now, found.request))
            lane.recorder.record(e.Surveyed(now, lane.index))
            lane.doubt_news.tell()
        lane.submit_news.tell()

    async def before_the_end(self) -> None:
        """Look once more for second jobs of requests that were ever in doubt: a lost create may have arrived late."""
        lane = self._lane
        doubted = sorted(lane.state.ever_in_doubt)
        if not doubted or lane.over:
            return
        listed = await self._rows(doubted)
        if isinstance(listed, ReadFailed):
            return
        for found in doubles(lane.run, self._by_name(doubted), listed):
            lane.recorder.record(e.Doubled(lane.clock.now(), found.request, found.job_ids))

    def _by_name(self, requests: Iterable[int]) -> dict[str, int]:
        return {self._lane.job_name_of(request): request for request in requests}

    async def _rows(self, requests: Sequence[int]) -> Sequence[JobRow] | ReadFailed:
        """Every row that may be about these requests: from as few reads as the service allows.

        The filter may be exact, so an empty answer to the run's part of the names proves nothing; a list with a job of
        ours in it does. Else the whole list will do, if it is whole. Else each name is asked for.
        """
        lane = self._lane
        by_run = await self._list(lane.run_token)
        if isinstance(by_run, ReadFailed):
            return by_run
        ours = lane.run.job_ids.values()
        if by_run.is_whole and not by_run.rows.keys().isdisjoint(ours):
            return list(by_run.rows.values())
        everything = await self._list(None)
        if isinstance(everything, ReadFailed):
            return everything
        if everything.is_whole:
            return list(everything.rows.values())
        return await self._rows_by_name(requests)

    async def _rows_by_name(self, requests: Iterable[int]) -> Sequence[JobRow] | ReadFailed:
        rows: list[JobRow] = []
        for request in requests:
            listing = await self._list(self._lane.job_name_of(request))
            if isinstance(listing, ReadFailed):
                return listing
            rows += listing.rows.values()
        return rows

    async def _list(self, name: str | None) -> Listing | ReadFailed:
        """Read the list, again and again if need be."""
        refused = tried = 0
        while True:
            listing = await read_listing(self._lane, name)
            if not isinstance(listing, ReadFailed):
                return listing
            tried += 1
            refused += listing.cause is Cause.UNAUTHENTICATED
            if tried == _MOST_TRIES or refused == UNAUTHENTICATED_LIMIT or self._lane.run.stop_reason is not None:
                return listing
            await self._lane.clock.sleep(min(_LONGEST_PAUSE_S, 2.0**tried))
