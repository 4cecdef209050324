"""Watches the jobs of one lane to their end, with few reads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from runner.engine.failing import About, What
from runner.engine.job_reads import JobReads
from runner.engine.listing import read_listing
from runner.engine.lookups import Lookups
from runner.engine.missing import seen_in_list
from runner.engine.reading import read, what_follows
from runner.rules.answers import ReadFailed
from runner.rules.doubts import has_other_servers
from runner.rules.missing import Lost, judge_missing
from runner.rules.outcomes import DELETED, FINISHED, JobEnding, Outcomes, is_finished
from runner.rules.reads import Gone, ReadAgain, ReadLimits, Unreadable, read_again
from runner.rules.watch_schedule import WatchSchedule
from runner.run import events as e
from runner.run.outages import AfterThat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.engine.lane import LaneContext
    from runner.model import Job, JobRow

_AT_ONCE = 32
# So many while none can be read: where calls are throttled, each waits for those before it.
_AT_ONCE_FAILING = 4
# A listing is tried where it may stand in for this many reads of single jobs.
_WORTH_LISTING = 8


class Watcher:
    """Reads each open job when it is due, and records its outcome when it is over."""

    def __init__(self, lane: LaneContext) -> None:
        run = lane.run
        self._lane = lane
        self._schedule = WatchSchedule(len(run.plan.steps), run.plan.watch.job_timeout_s)
        self._lookups = Lookups(lane)
        self._missing: list[int] = []
        self._reads = JobReads()
        self._page_size = 0
        self._listing_pays = True

    async def run(self) -> None:
        """Return when no job is open and none can be opened any more, or the run was asked to stop."""
        lane = self._lane
        while lane.run.stop_reason is None and lane.state.watched:
            lane.watch_news.seen()
            self._take_up_new_jobs()
            if not lane.state.open and (lane.state.stopped or not lane.jobs_may_come):
                return
            now = lane.clock.now()
            due = self._schedule.take_due(now, _AT_ONCE if self._reads.is_any_read else _AT_ONCE_FAILING)
            if due:
                await self._read(due)
            else:
                next_due = self._schedule.next_due()
                await lane.watch_news.wait(None if next_due is None else next_due - now)

    def _take_up_new_jobs(self) -> None:
        opened = self._lane.newly_open
        while opened:
            request = opened.popleft()
            self._schedule.opened(request, self._step(request), self._accepted_at(request))

    async def _read(self, due: Sequence[int]) -> None:
        if not self._reads.is_any_read:
            due = [request for request in due if not self._is_given_up(request)]
        due = await self._less_those_listed_as_running(due)
        async with asyncio.TaskGroup() as reads:
            for request in due:
                reads.create_task(self._read_one(request))
        if self._missing:
            await self._look_for_missing()

    async def _less_those_listed_as_running(self, due: Sequence[int]) -> Sequence[int]:
        """Read the list where it replaces many reads; what it shows as over, or does not show, is read itself."""
        lane = self._lane
        pages = -(-lane.state.accepted // self._page_size) if self._page_size else 1
        if not self._listing_pays or len(due) < max(_WORTH_LISTING, 2 * pages):
            return due
        listing = await read_listing(lane, lane.run_token)
        if isinstance(listing, ReadFailed):
            return due
        now = lane.clock.now()
        self._page_size = max(1, listing.page_size)
        running = [request for request in due if self._is_running(request, listing.rows, now)]
        self._listing_pays = len(running) > listing.pages
        for request in running:
            self._schedule.read_again(request, self._step(request), self._accepted_at(request), now)
        return [request for request in due if request not in set(running)]

    def _is_running(self, request: int, rows: Mapping[str, JobRow], now: float) -> bool:
        row = rows.get(self._lane.state.open[request].job_id)
        return row is not None and row.status not in {FINISHED, DELETED} and not self._is_late(request, now)

    def _is_given_up(self, request: int) -> bool:
        hopeless = self._reads.is_hopeless(self._limits(request), self._lane.clock.now())
        if hopeless:
            self._lane.failing.given_up(request)
            self._settle(request, None, JobEnding.TIMED_OUT, "no job could be read any more")
        return hopeless

    async def _read_one(self, request: int) -> None:
        lane, job_id = self._lane, self._lane.state.open[request].job_id
        self._reads.made(request)
        job = await read(lane, lambda call: lane.service.get(job_id, call))
        if isinstance(job, ReadFailed):
            self._read_failed(request, job)
        else:
            self._job_read(request, job)

    def _job_read(self, request: int, job: Job) -> None:
        now, history = self._lane.clock.now(), self._reads.worked(request)
        if history.failed:
            self._lane.failing.works(request)
        if not self._lane.known.manner.is_of(self._lane.job_name_of(request), job.name):
            self._is_of_another(request, job)
            return
        self._lane.known.was_read(request, job)
        if is_finished(job, (server.id for server in self._lane.run.servers_of(request))):
            self._settle(request, job, JobEnding.FINISHED)
        elif job.status == DELETED:
            self._settle(request, job, JobEnding.LOST, f"job {job.job_id} was deleted")
        elif self._is_late(request, now):
            seen = job.status or "without a status"
            self._settle(request, job, JobEnding.TIMED_OUT, f"{seen} after {self._timeout_s:.0f} s, and not over")
        elif job.status == FINISHED:
            self._schedule.soon(request, now, self._reads.incomplete(request, history))
        else:
            self._read_again(request, now)

    def _is_of_another(self, request: int, job: Job) -> None:
        """The create was answered with a job that was given another name: the request's own is not known."""
        why = f"the create was answered with job {job.job_id}, which has the name {job.name!r}"
        self._settle(request, None, JobEnding.LOST, why)
        self._lane.recorder.record(e.Doubled(self._lane.clock.now(), request, (job.job_id,), why))

    def _read_failed(self, request: int, failed: ReadFailed) -> None:
        lane, now = self._lane, self._lane.clock.now()
        history, limits = self._reads.failed(request, failed, now), self._limits(request)
        about = About(request, What.JOB, AfterThat.TIMED_OUT)
        match what_follows(lane, history, failed, limits, about):
            case ReadAgain(at):
                self._schedule.read_at(request, at)
            case Gone():
                self._missing.append(request)
            case Unreadable():
                tries = f"{history.failed} reads in {now - history.since:.0f} s"
                self._settle(request, None, JobEnding.TIMED_OUT, f"could not be read ({tries}): {failed.error.message}")

    def _limits(self, request: int) -> ReadLimits:
        late_at = self._accepted_at(request) + self._timeout_s
        return ReadLimits(until=late_at, settle_s=self._lane.run.plan.submit.settle_s)

    async def _look_for_missing(self) -> None:
        """Jobs that the service does not know any more, or not yet: one that it lists is at work."""
        missing, self._missing = self._missing, []
        seen = await seen_in_list(self._lane, self._lookups, missing)
        for request in missing:
            self._judge_missing(request, *seen[request])

    def _judge_missing(self, request: int, rows: Sequence[JobRow], unproven: str | None) -> None:
        now, history, job_id = self._lane.clock.now(), self._reads.of(request), self._lane.state.open[request].job_id
        judged = judge_missing(job_id, rows, unproven, history, now)
        if isinstance(judged, Lost):
            self._settle(request, None, JobEnding.LOST, judged.seen)
            self._tell_of_others(request, job_id, rows)
        elif self._is_late(request, now):
            self._settle(request, None, JobEnding.TIMED_OUT, judged.seen)
        else:
            self._schedule.read_at(request, read_again(history, self._limits(request), now).at)

    def _tell_of_others(self, request: int, job_id: str, rows: Sequence[JobRow]) -> None:
        """The job that a create was answered with may never have been, and the list shows the one that was made."""
        job_ids = tuple(sorted({job_id, *(row.job_id for row in rows)}))
        if len(job_ids) > 1:
            self._lane.recorder.record(e.Doubled(self._lane.clock.now(), request, job_ids))

    def _settle(self, request: int, job: Job | None, ending: JobEnding, reason: str = "") -> None:
        lane, now = self._lane, self._lane.clock.now()
        server_ids = [server.id for server in lane.run.servers_of(request)]
        duration_s = _duration(job) if ending is JobEnding.FINISHED else None
        if duration_s is not None:
            # Not when the read showed it: the next job would be read later, and seem longer, and so on.
            self._schedule.learn(self._step(request), duration_s)
        if job is not None:
            lane.recorder.record(e.JobRead(now, request, job))
        outcomes = Outcomes.of_job(server_ids, job, ending)
        reads, failures = self._reads.over(request, unread=job is None)
        lane.recorder.record(e.Settled(now, request, outcomes.letters, duration_s, reason, reads, failures))
        if job is not None and has_other_servers(job, server_ids):
            why = f"job {job.job_id} works on servers that the request did not name"
            lane.recorder.record(e.Doubled(now, request, (job.job_id,), why))
        lane.leave_out_due()
        lane.submit_news.tell()
        lane.doubt_news.tell()

    def _read_again(self, request: int, now: float) -> None:
        self._schedule.read_again(request, self._step(request), self._accepted_at(request), now)

    def _is_late(self, request: int, now: float) -> bool:
        return now - self._accepted_at(request) >= self._timeout_s

    @property
    def _timeout_s(self) -> float:
        return self._lane.run.plan.watch.job_timeout_s

    def _accepted_at(self, request: int) -> float:
        return self._lane.state.open[request].accepted_at

    def _step(self, request: int) -> int:
        return self._lane.run.requests.entries[request].step


def _duration(job: Job | None) -> float | None:
    if job is None or job.created_at is None or job.updated_at is None:
        return None
    return max(0.0, job.updated_at - job.created_at)
