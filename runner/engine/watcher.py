"""Watches the jobs of one lane to their end, with few reads."""

from __future__ import annotations

import asyncio
from math import inf, isinf
from typing import TYPE_CHECKING

from runner.engine.failing import About, What
from runner.engine.job_reads import JobReads
from runner.engine.lookups import Lookups
from runner.engine.missing import seen_in_list
from runner.engine.reading import read, what_follows
from runner.engine.sweeps import Sweeps
from runner.rules.answers import ReadFailed
from runner.rules.doubts import has_other_servers
from runner.rules.durations import Durations
from runner.rules.missing import Lost, judge_missing
from runner.rules.outcomes import DELETED, FINISHED, JobEnding, Outcomes, is_finished
from runner.rules.reads import Gone, ReadAgain, ReadLimits, Unreadable, read_again
from runner.rules.watch_schedule import WatchSchedule
from runner.run import events as e
from runner.run.outages import AfterThat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.engine.lane import LaneContext
    from runner.model import Job, JobRow

_AT_ONCE = 32
# So many while none can be read: where calls are throttled, each waits for those before it.
_AT_ONCE_FAILING = 4
# Places among these for jobs that the list does not show as over.
_OTHERS = 8


class Watcher:
    """Reads each open job when it is due, and records its outcome when it is over."""

    def __init__(self, lane: LaneContext) -> None:
        run = lane.run
        self._lane = lane
        durations = [Durations() for _ in run.plan.steps]
        self._schedule = WatchSchedule(durations, run.plan.watch.job_timeout_s)
        self._reads = JobReads()
        self._sweeps = Sweeps(lane, durations, self._schedule, self._reads)
        self._lookups = Lookups(lane)
        self._missing: list[int] = []

    async def run(self) -> None:
        """Return when no job is open and none can be opened any more, or the run was asked to stop."""
        lane = self._lane
        while lane.run.stop_reason is None and lane.state.watched:
            lane.watch_news.seen()
            self._take_up_new_jobs()
            if not lane.state.open and (lane.state.stopped or not lane.jobs_may_come):
                return
            due = await self._next()
            if due:
                await self._read(due)
            elif (due_at := self._due_at()) > lane.clock.now():
                await lane.watch_news.wait(None if isinf(due_at) else due_at - lane.clock.now())

    def _take_up_new_jobs(self) -> None:
        opened = self._lane.newly_open
        while opened:
            request = opened.popleft()
            self._schedule.opened(request, self._step(request), self._accepted_at(request))
            self._sweeps.opened(request)

    async def _next(self) -> Sequence[int]:
        """Which jobs to read now: first those that the list shows as over; only if there are none, it is looked at again."""
        if not self._reads.is_any_read:
            return self._due(_AT_ONCE_FAILING)
        over = self._sweeps.take(_AT_ONCE - _OTHERS)
        if not over and self._sweeps.due_at() <= self._lane.clock.now():
            await self._sweeps.look()
            over = self._sweeps.take(_AT_ONCE - _OTHERS)
        others = _AT_ONCE if not over else 1 if self._sweeps.is_behind else _OTHERS
        return [*over, *self._due(others)]

    def _due_at(self) -> float:
        read_at = self._schedule.next_due()
        own = inf if read_at is None else read_at
        return min(own, self._sweeps.due_at()) if self._reads.is_any_read else own

    def _due(self, most: int) -> list[int]:
        """Those whose own turn has come, less those of which the list tells."""
        now, due = self._lane.clock.now(), list[int]()
        while len(due) < most and (some := self._schedule.take_due(now, most - len(due))):
            for request in some:
                if self._reads.is_any_read and self._sweeps.covers(request, now):
                    self._schedule.postpone(request, self._step(request), self._accepted_at(request), now)
                else:
                    due.append(request)
        return due

    async def _read(self, due: Sequence[int]) -> None:
        if not self._reads.is_any_read:
            due = [request for request in due if not self._is_given_up(request)]
        async with asyncio.TaskGroup() as reads:
            for request in due:
                reads.create_task(self._read_one(request))
        if self._missing:
            await self._look_for_missing()

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
        self._sweeps.is_read(request, is_over=job.status in {FINISHED, DELETED})
        if is_finished(job, (server.id for server in self._lane.run.servers_of(request))):
            self._settle(request, job, JobEnding.FINISHED)
        elif job.status == DELETED:
            self._settle(request, job, JobEnding.LOST, f"job {job.job_id} was deleted")
        elif self._is_late(request, now):
            seen = job.status or "without a status"
            self._settle(request, job, JobEnding.TIMED_OUT, f"{seen} after {self._timeout_s:.0f} s, and not over")
        elif job.status == FINISHED or request in self._sweeps.asked:
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
        is_finished, accepted_at = ending is JobEnding.FINISHED, self._accepted_at(request)
        duration_s = _duration(job) if is_finished else None
        if job is not None:
            lane.recorder.record(e.JobRead(now, request, job))
        outcomes = Outcomes.of_job(server_ids, job, ending)
        reads, failures = self._reads.over(request, unread=job is None)
        lane.recorder.record(e.Settled(now, request, outcomes.letters, duration_s, reason, reads, failures))
        self._sweeps.closed(request, duration_s, accepted_at, is_finished=is_finished)
        if job is not None and has_other_servers(job, server_ids):
            why = f"job {job.job_id} works on servers that the request did not name"
            lane.recorder.record(e.Doubled(now, request, (job.job_id,), why))
        lane.leave_out_due()
        lane.submit_news.tell()
        lane.doubt_news.tell()

    def _read_again(self, request: int, now: float) -> None:
        again = self._schedule.postpone if self._sweeps.is_shown(request) else self._schedule.read_again
        again(request, self._step(request), self._accepted_at(request), now)

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
