"""The jobs of a lane that are known to exist: what a list does not show of them it hides, and others with them."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

from runner.engine.reading import read
from runner.rules.answers import ReadFailed
from runner.rules.names import NameManner, folded
from runner.rules.outcomes import DELETED

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterator, Mapping

    from runner.engine.lane import LaneContext
    from runner.model import Job, JobRow

# A job that had not been listed after some time may take this many times as long.
_LATER = 2.0
# So many jobs that are over are asked for until one is found that was not deleted since.
_MOST_ASKED = 3
# A filter that lets more rows through than these is not obeyed.
_FEW_ROWS = 10


class KnownJob(NamedTuple):
    """A job of a request."""

    request: int
    job_id: str


class KnownJobs:
    """What this process knows of the jobs of one lane. `manner` is how the service shows their names."""

    def __init__(self, lane: LaneContext) -> None:
        self.manner = NameManner()
        self._lane = lane
        now, run = lane.clock.now(), lane.run
        self._since = {job: now for request, job in run.job_ids.items() if run.lane_index(request) == lane.index}
        self._gone: set[str] = set()
        self._unseen: set[str] = set()  # accepted by this process, and not read since
        self.contradicted: set[str] = (
            set()
        )  # names of jobs that a list has shown, and the last one of that name did not
        self._seen: dict[str, set[str]] = {}  # by a list, of no request that is known: by their names
        self._listed: set[str] = set()  # shown by a list: where it is not shown later, that list lies, and is not late
        self._late_s = 0.0

    @property
    def settle_s(self) -> float:
        """How long a job may take to be listed: what the plan says, or longer, as was seen."""
        return max(self._lane.run.plan.submit.settle_s, _LATER * self._late_s)

    def is_known(self, job_id: str) -> bool:
        """Whether the job is that of a request already."""
        return job_id in self._since

    def add(self, request: int, job_id: str, name: str | None) -> None:
        """A request has made this job, which shows this name."""
        self._since[job_id] = self._lane.clock.now()
        self._unseen.add(job_id)
        self.manner.learn(self._lane.job_name_of(request), name)

    def was_read(self, request: int, job: Job) -> None:
        """The service has shown the job of a request."""
        self._unseen.discard(job.job_id)
        self.manner.learn(self._lane.job_name_of(request), job.name)

    def must_be_listed(self, asked_at: float) -> Iterator[KnownJob]:
        """The jobs at work that a list must show which was asked for at `asked_at`: those that had the time to be listed."""
        listed_by = asked_at - self._lane.run.plan.submit.settle_s
        for request, job in list(self._lane.state.open.items()):
            if job.accepted_at <= listed_by and job.job_id not in self._gone:
                yield KnownJob(request, job.job_id)

    def witnesses(self, asked_at: float) -> list[KnownJob]:
        """A job at work, and one that is over: as far as there are any, for either may be hidden."""
        at_work = next(self.must_be_listed(asked_at), None)
        over = self._one_that_is_over(asked_at)
        return [job for job in (at_work, over) if job is not None]

    def were_listed(self, shown: Mapping[str, object]) -> None:
        """A list has shown these jobs."""
        self._listed.update(self._since.keys() & shown.keys())

    def were_seen(self, rows: Collection[JobRow], name: str = "") -> None:
        """A list has shown these rows, filtered by a name: jobs of the run among them must not be hidden by another list.

        A row without a name may be of the one that was asked for, where the filter let few through.
        """
        token, asked = self._lane.run_token, name if len(rows) <= _FEW_ROWS else ""
        for row in rows:
            shown = folded(row.name or "") or folded(asked)
            if row.job_id not in self._since and token in shown:
                self._seen.setdefault(shown, set()).add(row.job_id)
                self._listed.add(row.job_id)

    async def hides_seen(self, shown: Container[str], name: str | None = None) -> str | None:
        """Which job a list hides that shows the jobs `shown`, all or those of a name, and another list has shown."""
        seen = chain(*self._seen.values()) if name is None else self._seen.get(folded(name), ())
        hidden = (job_id for job_id in seen if job_id not in shown and job_id not in self._gone)
        if name is not None:
            self.contradicted.discard(name)
        for job_id in list(islice(hidden, _MOST_ASKED)):
            if why := await self.hides(job_id, name):
                self.contradicted.update(() if name is None else (name,))
                return why
        return None

    async def hides(self, job_id: str, name: str | None = None) -> str | None:
        """Why a list that does not show the job proves nothing; None where that may be because the job was deleted.

        Nor of a list filtered by a `name`, where it has another.
        """
        now = self._lane.clock.now()
        answer = await read(self._lane, lambda call: self._lane.service.get(job_id, call))
        if isinstance(answer, ReadFailed) and not answer.missing:
            return f"the list does not show job {job_id}, which cannot be read: {answer.error.message}"
        if name is not None and not isinstance(answer, ReadFailed) and not self.manner.is_of(name, answer.name):
            self._seen.get(folded(name), set()).discard(job_id)
            return None
        is_there = not isinstance(answer, ReadFailed) and answer.status != DELETED
        # Nobody deletes what nobody has seen: it is not known everywhere yet, and so may others be.
        if is_there or (isinstance(answer, ReadFailed) and job_id in self._unseen):
            if job_id not in self._listed:
                self._late_s = max(self._late_s, now - self._since[job_id])
            which = "exists" if is_there else "was accepted, and that nobody has seen yet"
            return f"the list does not show job {job_id}, which {which}"
        self._gone.add(job_id)
        return None

    async def hidden_from(self, shown: Mapping[str, object], asked_at: float) -> str | None:
        """Which job a whole list hides that was asked for at `asked_at`, and shows the jobs `shown`."""
        self.were_listed(shown)
        for job in self.must_be_listed(asked_at):
            if job.job_id not in shown and (why := await self.hides(job.job_id)):
                return why
        for _ in range(_MOST_ASKED):
            over = self._one_that_is_over(asked_at)
            if over is None or over.job_id in shown:
                return None
            if why := await self.hides(over.job_id):
                return why
        return None

    def _one_that_is_over(self, asked_at: float) -> KnownJob | None:
        """The newest that had the time to be listed, for it tells best how late jobs are; else the first of all.

        The one before where that was deleted.
        """
        run, lane = self._lane.run, self._lane
        listed_by = asked_at - run.plan.submit.settle_s
        oldest: KnownJob | None = None
        for request, job_id in reversed(run.job_ids.items()):
            if job_id in self._gone or request in lane.state.open or run.lane_index(request) != lane.index:
                continue
            oldest = KnownJob(request, job_id)
            if self._since[job_id] <= listed_by:
                break
        return oldest
