"""Which jobs of a lane are over, as far as its job list shows: looked through at a bounded pace, whenever one may be."""

from __future__ import annotations

from collections import deque
from itertools import islice
from math import inf
from typing import TYPE_CHECKING

from runner.engine.sweeper import Sweeper
from runner.rules.durations import likely_duration
from runner.rules.outcomes import DELETED, FINISHED
from runner.rules.sweeps import FEW, SHORTEST_S, Candidates, anyway_s, is_predictable, span_of
from runner.run.decisions import WaitForEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.engine.job_reads import JobReads
    from runner.engine.lane import LaneContext
    from runner.model import JobRow
    from runner.rules.durations import Durations
    from runner.rules.watch_schedule import WatchSchedule

# So many jobs must show that the list is wrong: in a row those that it shows as over and are not; or those of which it did
# not know so long after, seconds, that they are over.
_WRONG = 3
_LATE_S = 5.0
# Jobs that the list shows at work are read to see if it is right: of all jobs this share, and one so often, seconds.
_CHECKED = 0.05
_CHECKED_EVERY_S = 60.0
# The first jobs that are over tell most of when others are.
_FIRST = 10


class Sweeps:
    """Looks at the list, and what came of them. Times are epoch seconds by the run's clock; jobs are named by their request.

    `asked` are jobs that it showed as over: what is left of them, only reads of their own tell. Those whose last read failed
    are read when the rule for `reads` says so, whatever the list shows.
    """

    def __init__(
        self, lane: LaneContext, durations: Sequence[Durations], schedule: WatchSchedule, reads: JobReads
    ) -> None:
        self._lane = lane
        self._reads = reads
        self._durations = durations
        self._schedule = schedule
        self._sweeper = Sweeper(lane)
        self._at_work: dict[int, float] = {}  # when each was last seen at work
        self._shown: dict[int, int] = {}  # by the list, and in which look
        self._looks = 0
        self._now: deque[int] = deque()
        self._wanted: list[int] = []
        self._looked_at = self._next_at = 0.0
        self._rested = False
        self._checks, self._checked_at = 0, 0.0
        self._early = self._late = 0
        self._ahead: dict[str, float] = {}  # jobs that were read as over when the list showed them at work, and when
        self.asked: set[int] = set()

    def opened(self, request: int) -> None:
        """A job is at work."""
        job, step = self._lane.state.open[request], self._step(request)
        self._sweeper.opened(request, job.job_id)
        self._next_at = min(self._next_at, job.accepted_at + span_of(self._durations[step]).begin_s)

    def closed(self, request: int, told_s: float | None, accepted_at: float, *, is_finished: bool) -> None:
        """It is over, as a read shows now; `told_s` is how long it took by what the service says."""
        now, durations = self._lane.clock.now(), self._durations[self._step(request)]
        self._sweeper.closed(self._lane.run.job_ids[request])
        seen_at = self._at_work.pop(request, accepted_at)
        self._shown.pop(request, None)
        self.asked.discard(request)
        if is_finished:
            durations.add(likely_duration(told_s, seen_at - accepted_at, now - accepted_at))
            if len(durations) <= _FIRST:
                self._next_at = min(self._next_at, max(now, self._looked_at + SHORTEST_S))
            if len(durations) in {1, _FIRST}:
                self._plan_anew(self._step(request))

    def is_read(self, request: int, *, is_over: bool) -> None:
        """A read shows whether the job is over: does the list?"""
        now = self._lane.clock.now()
        if not is_over:
            self._at_work[request] = now
        if request in self.asked:
            self._early = 0 if is_over else self._early + 1
            self._doubt()
        elif is_over and self.is_shown(request):
            self._ahead[self._lane.state.open[request].job_id] = now

    def _doubt(self) -> None:
        if max(self._early, self._late) >= _WRONG:
            self._early = self._late = 0
            self._ahead.clear()
            self._sweeper.rest()

    def covers(self, request: int, now: float) -> bool:
        """Whether the list tells of the job, so that it need not be read."""
        lane, step, accepted_at = self._lane, self._step(request), self._lane.state.open[request].accepted_at
        durations, age_s = self._durations[step], now - accepted_at
        if self._reads.is_pending(request):
            return False
        if not self.is_shown(request) or is_predictable(durations) or age_s > span_of(durations).end_s:
            return False
        if not self._schedule.is_checked(request, step, accepted_at, now):
            return True
        if age_s >= lane.run.plan.watch.job_timeout_s:
            return False
        if self._checks > 3 + _CHECKED * lane.state.accepted and now < self._checked_at + _CHECKED_EVERY_S:
            return True
        self._checks, self._checked_at = self._checks + 1, now
        return False

    def take(self, most: int) -> list[int]:
        """Up to so many of those that are to be read at once."""
        taken: list[int] = []
        while self._now and len(taken) < most:
            request = self._now.popleft()
            if self._is_free(request) and self._schedule.take(request):
                taken.append(request)
        return taken

    @property
    def is_behind(self) -> bool:
        """Whether more jobs are known to be over than can be read soon."""
        return bool(self._now)

    def due_at(self) -> float:
        """When it is to be looked next."""
        if self._sweeper.is_at_it():
            return self._sweeper.again_at
        return max(self._next_at, self._sweeper.again_at) if self._lane.state.open else inf

    async def look(self) -> None:
        """Begin a look, and read a page; or one more page of that which was begun."""
        if not self._sweeper.is_at_it():
            self._begin()
        if self._sweeper.is_at_it():
            asked_at = self._lane.clock.now()
            # First those that were accepted first: as a rule they are over for longest, and all that they did shows.
            for row in sorted(await self._sweeper.next_page(), key=lambda row: self._sweeper.place(row.job_id)):
                self._is_listed(row, asked_at)
            if self._sweeper.has_failed:
                self._try_another()
            self._doubt()
            if not self._sweeper.is_at_it():
                self._are_missed()
        if self._sweeper.rests_until > self._lane.clock.now() and not self._rested:
            self._rest()

    def _try_another(self) -> None:
        """The list cannot be read: can a job?"""
        self._now.extend(islice((request for request in self._lane.state.open if request not in self.asked), 1))

    def _are_missed(self) -> None:
        """Those that a look was for, and that it did not show, are read when their own turn comes."""
        now, jobs = self._lane.clock.now(), self._lane.state.open
        for request in self._sweeper.missed(self._wanted):
            if self._shown.pop(request, None) is not None and self._is_free(request):
                self._schedule.plan_anew(request, self._step(request), jobs[request].accepted_at, now)

    def _begin(self) -> None:
        lane, now = self._lane, self._lane.clock.now()
        spans = [span_of(durations) for durations in self._durations]
        candidates, wanted, first_at = Candidates(), list[int](), inf
        for request, job in lane.state.open.items():
            if request in self.asked or self._reads.is_pending(request):
                continue
            span, age_s = spans[self._step(request)], now - job.accepted_at
            if (begins_at := job.accepted_at + span.begin_s) > now:  # not by the age, which is rounded otherwise
                first_at = min(first_at, begins_at)
            elif age_s <= span.end_s:
                candidates.add(span, age_s)
                wanted.append(request)
        self._rested = self._rested and self._sweeper.rests_until > now
        if wanted:
            cost = self._sweeper.cost(wanted)
            self._next_at = now + candidates.spacing_s(cost, lane.reads.rate, others_wait=self._do_others_wait(wanted))
            self._look_for(wanted, cost)
        else:
            self._look_anyway(first_at)

    def _look_for(self, wanted: Sequence[int], cost: int) -> None:
        now = self._lane.clock.now()
        if self._rested:
            self._next_at = max(self._next_at, self._sweeper.rests_until)
        elif len(wanted) <= cost:
            self._now.extend(wanted)
            self._looked_at = now
        else:
            self._sweep(wanted)

    def _sweep(self, wanted: Sequence[int]) -> None:
        self._sweeper.begin(wanted)
        self._wanted = list(wanted)
        self._looks += 1
        self._looked_at = self._lane.clock.now()

    def _look_anyway(self, first_at: float) -> None:
        """No job should be over yet; but where there are many, a page now and then shows whether that is so."""
        now, some = self._lane.clock.now(), [r for r in self._lane.state.open if r not in self.asked]
        self._next_at = first_at
        if len(some) <= FEW or self._rested:
            return
        again_at = self._looked_at + min(anyway_s(self._durations[self._step(request)]) for request in some[:1])
        if again_at <= now:
            self._sweep(some)
        self._next_at = min(first_at, max(again_at, now + SHORTEST_S))

    def _do_others_wait(self, wanted: Sequence[int]) -> bool:
        """Whether requests wait for the end of these few."""
        lane = self._lane
        if len(wanted) > FEW or not lane.state.unsubmitted or lane.run.is_waiting_for_person:
            return False
        if lane.state.in_flight + len(lane.state.doubts) >= lane.run.concurrency:
            return False  # it is the answers that they wait for
        return lane.state.unsurveyed_since is None and isinstance(lane.decide(), WaitForEvent)

    def _is_listed(self, row: JobRow, asked_at: float) -> None:
        request, is_over = self._sweeper.open.get(row.job_id), row.status in {FINISHED, DELETED}
        if request is None:
            if row.job_id in self._ahead:
                self._is_behind(row.job_id, asked_at, is_over=is_over)
        elif is_over and request not in self.asked:
            self.asked.add(request)
            self._now.append(request)
            self._shown.pop(request, None)
        elif request not in self.asked:
            self._shown[request] = self._looks
            self._at_work[request] = max(asked_at, self._at_work.get(request, asked_at))

    def _is_behind(self, job_id: str, asked_at: float, *, is_over: bool) -> None:
        """A job was read as over before the list showed it so: does it by now?"""
        if is_over or asked_at >= self._ahead[job_id] + _LATE_S:
            del self._ahead[job_id]
            self._late = 0 if is_over else self._late + 1

    def is_shown(self, request: int) -> bool:
        """Whether the last looks showed the job at work."""
        return not self._rested and self._shown.get(request, -2) >= self._looks - 1

    def _rest(self) -> None:
        """Every job is read by itself from now on, when its turn comes."""
        self._rested = True
        self._shown.clear()
        for step in range(len(self._durations)):
            self._plan_anew(step)

    def _plan_anew(self, step: int) -> None:
        """Much has been learned since it was said when the jobs of a step are read."""
        now = self._lane.clock.now()
        for request, job in self._lane.state.open.items():
            if request not in self.asked and self._step(request) == step and self._is_free(request):
                self._schedule.plan_anew(request, step, job.accepted_at, now)

    def _is_free(self, request: int) -> bool:
        """Whether the job is at work, and nobody said when it must not be read."""
        return request in self._lane.state.open and not self._reads.is_pending(request)

    def _step(self, request: int) -> int:
        return self._lane.run.requests.entries[request].step
