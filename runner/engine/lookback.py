"""Looks for the jobs of a run that no process carries out: whether one of them is at work, and how they came out."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from runner.engine.clock import sleep_until
from runner.engine.lookups import Lookups
from runner.engine.missing import seen_in_list
from runner.engine.reading import read
from runner.rules.answers import ReadFailed
from runner.rules.sightings import AtWork, Ended, NoJob, NotProven, judge_jobs
from runner.run.phases import UNSENT, Phase

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from runner.engine.lane import LaneContext
    from runner.engine.missing import SeenInList
    from runner.model import Job
    from runner.rules.sightings import Sighting

_AT_ONCE = 32
# A list that proves nothing is asked for again after these pauses, seconds.
_PAUSES_S = (2.0, 4.0)
_LOOKS_UNSENT = UNSENT | {Phase.EXCLUDED}


class LookBack:
    """The look at one lane of a run. It sent nothing after `since`, epoch seconds by the lane's clock."""

    def __init__(self, lane: LaneContext, since: float) -> None:
        self._lane = lane
        self._since = since

    async def at(self, requests: Mapping[int, Sequence[str]]) -> dict[int, Sighting]:
        """What is seen of these requests, and of these servers of each: by the jobs that are known, and by its name."""
        unsent = [request for request in requests if self._lane.run.phases[request] in _LOOKS_UNSENT]
        asked = [request for request in requests if request not in unsent]
        listed = await self._listed([request for request in asked if self._may_have_others(request)])
        sightings: dict[int, Sighting] = dict.fromkeys(unsent, NotProven("nobody could look which requests were sent"))
        for start in range(0, len(asked), _AT_ONCE):
            async with asyncio.TaskGroup() as reads:
                looks = {
                    request: reads.create_task(self._at(request, requests[request], listed.get(request)))
                    for request in asked[start : start + _AT_ONCE]
                }
            sightings |= {request: look.result() for request, look in looks.items()}
        return sightings

    def _jobs_of(self, request: int) -> set[str]:
        run = self._lane.run
        return {*run.conflict_jobs.get(request, ()), *([run.job_ids[request]] if request in run.job_ids else ())}

    def _may_have_others(self, request: int) -> bool:
        return not self._jobs_of(request) or request in self._lane.state.ever_in_doubt

    async def _listed(self, requests: Sequence[int]) -> dict[int, SeenInList]:
        """What the list shows of them by their names, once every job of theirs had the time to be listed."""
        lane, left = self._lane, requests
        seen: dict[int, SeenInList] = {}
        if not requests:
            return seen
        for pause_s in (0.0, *_PAUSES_S):
            await lane.clock.sleep(pause_s)
            await sleep_until(lane.clock, self._since + lane.known.settle_s)
            asked_at = lane.clock.now()
            found = await seen_in_list(lane, Lookups(lane), left)
            if asked_at < self._since + lane.known.settle_s:
                late = "jobs are listed later than submit.settle says"
                found = {r: one if one.rows else one._replace(unproven=late) for r, one in found.items()}
            seen |= found
            left = [request for request in left if seen[request].unproven is not None]
            if not left:
                break
        return seen

    async def _at(self, request: int, server_ids: Sequence[str], listed: SeenInList | None) -> Sighting:
        known = self._jobs_of(request)
        if listed is not None and listed.unproven is not None:
            return NotProven(listed.unproven)
        job_ids = known.union(row.job_id for row in listed.rows) if listed is not None else known
        return await self._read(job_ids, server_ids) if job_ids else NoJob()

    async def _read(self, job_ids: Collection[str], server_ids: Sequence[str]) -> AtWork | Ended | NotProven:
        jobs: list[Job] = []
        for job_id in sorted(job_ids):
            job = await read(self._lane, partial(self._lane.service.get, job_id))
            if isinstance(job, ReadFailed):
                return NotProven(f"job {job_id} cannot be looked at: {job.error.message}")
            jobs.append(job)
        return judge_jobs(jobs, server_ids)
