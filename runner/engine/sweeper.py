"""Looks for jobs in the job list, page by page: only at pages that should show them, and only while that pays.

What a row says decides nothing: a job that it shows as over is read by itself, and one that no row is about is read when
its own turn comes.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from runner.engine.listing import PAGE_LIMIT
from runner.engine.reading import read, what_follows
from runner.rules.answers import Cause, ReadFailed
from runner.rules.list_shape import ListShape
from runner.rules.reads import ReadAgain, ReadHistory, ReadLimits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.engine.lane import LaneContext
    from runner.model import JobPage, JobRow
    from runner.run.facts import OpenJob

# A page that cannot be read is tried once more; then jobs are read one by one for a while, and twice as long each time.
_OF_A_PAGE = ReadLimits(reads=2, over_s=0.0, pause_s=0.5)
# One that is throttled keeps all other reads waiting: where that is for longer, seconds, it is not tried once more, and the
# list is left alone for so many times as long.
_SHORT_S = 5.0
_APART = 5.0
_SHORTEST_REST_S = 30.0
_LONGEST_REST_S = 600.0
# A page pays that tells of more jobs than this: else they could as well be read.
_PAYS = 1.5
_MOST_PAGES = 500
# A job that is younger may not be listed yet, seconds. Where none is, it is looked again after twice as long each time.
_LISTED_BY_S = 20.0
_SHORTEST_PAUSE_S = 1.6
_LONGEST_PAUSE_S = 60.0


class Sweeper:
    """One lane's looks at the list. Times are epoch seconds by the run's clock. `open` are the requests of jobs at work.

    `has_failed`: the last page could not be read.
    """

    def __init__(self, lane: LaneContext) -> None:
        self._lane = lane
        run = lane.run
        mine = (job_id for request, job_id in run.job_ids.items() if run.lane_index(request) == lane.index)
        self._places = {job_id: place for place, job_id in enumerate(mine)}
        self._shape = ListShape()
        self._filters: list[str | None] = [lane.run_token, None]  # the first is that which showed jobs last
        self._is_exact = False  # the filter shows only whole names
        self._history = ReadHistory()
        self._wanted: deque[int] = deque()  # their places, as they should come in the list
        self._expected = self._most = self._rows = self._read = self._empty = 0
        self._seen: set[int] = set()  # in this look
        self._listed: set[int] = set()  # ever
        self._rest_s = _SHORTEST_REST_S
        self.open: dict[str, int] = {}
        self.has_failed = False
        self.rests_until = 0.0
        self.again_at = 0.0

    def opened(self, request: int, job_id: str) -> None:
        """A job is at work."""
        self._places.setdefault(job_id, len(self._places))
        self.open[job_id] = request

    def closed(self, job_id: str) -> None:
        """It is over."""
        self.open.pop(job_id, None)
        self._listed.discard(self._places.get(job_id, -1))

    def place(self, job_id: str) -> int:
        """How many of the lane's jobs were accepted before it; -1 where it is none of them."""
        return self._places.get(job_id, -1)

    def is_at_it(self) -> bool:
        """Whether there are pages to read, of a look that was begun."""
        return bool(self._wanted)

    def cost(self, requests: Sequence[int]) -> int:
        """How many pages it should take to see the jobs of these requests."""
        shape = self._shape
        if not shape.size or not shape.turns:
            return 1
        return shape.pages(sorted(map(shape.position, self._places_of(requests))))

    def begin(self, requests: Sequence[int]) -> None:
        """Begin a look for the jobs of these requests, which are open."""
        now, jobs = self._lane.clock.now(), self._lane.state.open
        places = self._places_of(requests)
        old = {place for place, request in zip(places, requests, strict=True) if _is_old(jobs[request], now)}
        self._wanted = deque(sorted(places, key=self._shape.position))
        self._expected, self._most = len(old | self._listed.intersection(places)), min(_MOST_PAGES, len(places))
        self._rows, self._read, self._seen = 0, 0, set()

    def missed(self, requests: Sequence[int]) -> list[int]:
        """Which of these the pages of the last look did not show."""
        jobs = self._lane.state.open
        return [r for r in requests if r in jobs and self._places[jobs[r].job_id] not in self._seen]

    def rest(self, seconds: float = _LONGEST_REST_S) -> None:
        """The list is not to be relied on for a while."""
        self._wanted.clear()
        self._history = ReadHistory()
        self._shape = ListShape()
        self.rests_until = self._lane.clock.now() + seconds

    async def next_page(self) -> Sequence[JobRow]:
        """Read one more page: its rows."""
        offset = self._offset()
        page = await read(
            self._lane,
            lambda call: self._lane.service.list(
                name=self._filters[0], offset=offset, limit=PAGE_LIMIT, departure=call
            ),
            may_be_left=True,
        )
        self._read += 1
        self.has_failed = isinstance(page, ReadFailed)
        if isinstance(page, ReadFailed):
            self._failed(page)
            return ()
        self._history = ReadHistory()
        self._lane.known.were_listed({row.job_id: row for row in page.rows})
        self._lane.known.were_seen(page.rows)
        self._take_in(page, offset)
        return page.rows

    def _offset(self) -> int:
        shape = self._shape
        if shape.size and shape.is_ordered and self._wanted and (shape.turns or not self._read):
            return shape.offset(self._wanted[0])
        return self._rows

    def _take_in(self, page: JobPage, offset: int) -> None:
        ids = [row.job_id for row in page.rows]
        is_last = self._shape.learn(offset, ids, [self._places.get(job_id) for job_id in ids], page.total)
        self._rows = offset + len(ids)
        places = {self._places[job_id] for job_id in ids if job_id in self.open}
        self._seen |= places
        self._listed |= places
        self._pass(self._rows)
        if is_last or self._read >= self._most:
            self._wanted.clear()
        if not self._wanted:
            self._is_over(is_any=bool(self._seen) or any(job_id in self._places for job_id in ids))

    def _pass(self, rows: int) -> None:
        """Those that were seen, or should have been, are not looked for further down."""
        shape, wanted = self._shape, self._wanted
        is_told = shape.size and shape.is_ordered and shape.turns
        while wanted and (wanted[0] in self._seen or (is_told and shape.position(wanted[0]) < rows)):
            wanted.popleft()

    def _is_over(self, *, is_any: bool) -> None:
        """A look is over: did it pay?"""
        self._choose_filter(is_any=is_any)
        self._empty = 0 if is_any else self._empty + 1
        if not is_any:
            pause_s = min(_LONGEST_PAUSE_S, _SHORTEST_PAUSE_S * 2.0 ** min(self._empty - 2, 10))
            self.again_at = self._lane.clock.now() + pause_s
        elif len(self._seen) >= min(self._expected, _PAYS * self._read):
            self._rest_s = _SHORTEST_REST_S
        else:
            self._rest_longer()

    def _choose_filter(self, *, is_any: bool) -> None:
        """A filter by the run's part of the names shows all its jobs, or none where it takes whole names (api-facts 6)."""
        by_run = self._filters[0] is not None
        if is_any and not by_run and not self._is_exact:
            self._filters.reverse()  # the jobs may not have been listed yet when it showed none
            self._is_exact = True
        elif not is_any:
            self._filters.reverse()
        elif by_run:
            self._is_exact = False

    def _failed(self, failed: ReadFailed) -> None:
        now = self._lane.clock.now()
        self._history = self._history.after(failed, now)
        step = what_follows(self._lane, self._history, failed, _OF_A_PAGE, None)
        pause_s = self._lane.reads.near_in(0, 0.0) if failed.cause is Cause.THROTTLED else 0.0
        if isinstance(step, ReadAgain) and pause_s <= _SHORT_S:
            self.again_at = step.at
        else:
            self._rest_longer(max(min(failed.after_s, self._lane.run.plan.submit.longest_pause_s), _APART * pause_s))

    def _rest_longer(self, least_s: float = 0.0) -> None:
        self.rest(max(self._rest_s, least_s))
        self._rest_s = min(2 * self._rest_s, _LONGEST_REST_S)

    def _places_of(self, requests: Sequence[int]) -> list[int]:
        jobs = self._lane.state.open
        return [self._places[jobs[request].job_id] for request in requests]


def _is_old(job: OpenJob, now: float) -> bool:
    return now - job.accepted_at >= _LISTED_BY_S
