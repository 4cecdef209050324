"""What the tasks of one lane share: the run's record, the service, the pace of creates and of reads."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.engine.failing import FailingCalls
from runner.engine.known import KnownJobs
from runner.engine.recorder import News, Recorder
from runner.run import events as e
from runner.run.due import due_exclusions
from runner.run.intake import jobs_may_come, sends_no_more
from runner.run.sight import LaneSight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runner.engine.calls import LaneCredential
    from runner.engine.pace import Pace
    from runner.engine.ports import Clock, JobService
    from runner.model import Job, JobRow
    from runner.rules.answers import ServiceError
    from runner.run.decisions import Decision
    from runner.run.facts import Facts, LaneFacts


@dataclass(slots=True)
class LaneContext:
    """One lane at work. `body_of` makes the exact bytes to send for a request; `job_name_of` its full job name.

    `run_token` is what the names of all jobs of the run have in common. `jitter` gives random numbers from 0 to 1.
    `most_sends` is how many creates may be on their way at once, whatever the plan says, and `most_reads` how many reads.
    `is_too_late` says whether a deadline is over, by the clocks as they are now.
    `newly_open` are requests whose jobs the watcher has not taken up yet: so it never looks through all of them.
    `sighted` are, by name, jobs that the list showed of requests that looked unsent: sent they were, whatever it shows next.
    `searches` are the tasks that look jobs up, `watches` those that watch them; whatever they wait for, it can be left.
    """

    index: int
    service: JobService
    recorder: Recorder
    clock: Clock
    creates: Pace
    reads: Pace
    credential: LaneCredential
    body_of: Callable[[int], bytes]
    job_name_of: Callable[[int], str]
    run_token: str
    jitter: Callable[[], float]
    most_sends: int = sys.maxsize
    most_reads: int = sys.maxsize
    is_too_late: Callable[[], bool] = lambda: False
    submit_news: News = field(default_factory=News)
    watch_news: News = field(default_factory=News)
    doubt_news: News = field(default_factory=News)
    newly_open: deque[int] = field(default_factory=deque)
    sighted: dict[str, JobRow] = field(default_factory=dict)
    searches: list[asyncio.Task[None]] = field(default_factory=list)
    watches: list[asyncio.Task[None]] = field(default_factory=list)
    known: KnownJobs = field(init=False)
    failing: FailingCalls = field(init=False)
    reads_at_once: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        # Here and not further down: what waits there has begun, and would be sent though a call was refused meanwhile.
        self.reads_at_once = asyncio.Semaphore(self.most_reads)
        self.failing = FailingCalls(self)
        self.known = KnownJobs(self)

    def job_opened(self, request: int, job: Job) -> None:
        """Let the watcher know of a job to watch."""
        self.known.add(request, job.job_id, job.name)
        self.newly_open.append(request)
        self.watch_news.tell()

    def stop(self, error: ServiceError, *, watched: bool) -> None:
        """Send nothing more and look nothing up any more: the service cannot be used. Are its jobs still to be `watched`?"""
        if self.state.stopped is None or (self.state.watched and not watched):
            self.recorder.record(e.LaneStopped(self.clock.now(), self.index, error, watched))
            self.leave(self.searches if watched else [*self.searches, *self.watches])

    def leave_out_due(self) -> None:
        """Leave out whom a person excluded before it was known what was sent, as far as that is known by now."""
        if self.run.controls.due:
            for event in due_exclusions(self.run, self.index, self.clock.now()):
                self.recorder.record(event)

    def leave(self, readers: Iterable[asyncio.Task[None]]) -> None:
        """Have no more read: by these tasks nothing is done that must not be broken off."""
        for reader in readers:
            reader.cancel()
        self.tell_all()

    def tell_all(self) -> None:
        """Have every task of the lane look again."""
        for news in (self.submit_news, self.doubt_news, self.watch_news):
            news.tell()

    def sight(self) -> LaneSight:
        """How the lane stands, as far as the facts do not tell."""
        creates, credential = self.creates, self.credential
        slot_in_s = creates.near_in(0, 0.0)
        return LaneSight(creates.rate, slot_in_s, credential.is_one_by_one, credential.refused_in_a_row)

    @property
    def run(self) -> Facts:
        """The state of the run."""
        return self.recorder.state

    @property
    def state(self) -> LaneFacts:
        """This lane's part of it."""
        return self.recorder.state.lanes[self.index]

    def decide(self) -> Decision:
        """What the lane does next."""
        return self.recorder.live.decide(self.index, self.clock.now(), self.clock.wall())

    @property
    def sends_no_more(self) -> bool:
        """Whether nothing new is sent on the lane."""
        return sends_no_more(self.run, self.state)

    def holds_back(self, request: int) -> bool:
        """Whether the request is not sent now: the last look before it leaves, for a machine may sleep after any other."""
        run, live = self.recorder.state, self.recorder.live
        if self.is_too_late() or not live.dispatcher.is_in_window(request, self.clock.wall()):
            return True
        if run.over or run.lanes[self.index].stopped is not None or run.is_waiting_for_person:
            return True
        held = run.controls.held_groups
        return bool(held) and run.requests.entries[request].group in held

    @property
    def jobs_may_come(self) -> bool:
        """Whether a job that is not known yet may still be made, or be found."""
        return jobs_may_come(self.run, self.state)

    @property
    def over(self) -> bool:
        """Whether nothing at all is done on the lane any more: asked to stop, or the service cannot be used."""
        return self.run.stop_reason is not None or self.state.stopped is not None
