"""When to read which job by itself, so that its end is known soon at few reads.

Jobs of one step take about equally long. The first few are read often, as scouts; once one is over, the others are read
three times in the time in which most like them end, and less and less often after. What the job list shows comes before
all this (`runner.rules.sweeps`): a job that it shows is postponed.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.rules.durations import Durations

SCOUTS = 8
# By then most new jobs are listed, seconds. Each scout is first read a little later than the one before, and so again.
_SCOUTED_S = 3.0
_GROWTH = 1.5
_FIRST_READ_WITHOUT_SAMPLE_S = 60.0
_SHORTEST_S = 2.0
_LONGEST_S = 120.0
# Between two reads of a job that may end at any moment, seconds, and as a share of the time in which most end.
_CLOSEST_S = 1.0
_OF_THE_TIME = 3.0
# A job that the list shows at work though it should be over is read again when it is by this share older.
_OF_ITS_AGE = 1.0
# After a read that showed a job over and not all its tasks; then twice as long each time, seconds.
_SOON_S = 0.3


class _Waiting(NamedTuple):
    accepted_at: float
    request: int


class WatchSchedule:
    """Which open jobs of a lane are due to be read. Times are epoch seconds; jobs are named by their request.

    `durations` are those of each step, and grow while jobs are watched.
    """

    def __init__(self, durations: Sequence[Durations], job_timeout_s: float) -> None:
        self._durations = durations
        # Jobs that were never read stand in the order they were accepted, so that what is learned later moves all.
        self._fresh: list[deque[_Waiting]] = [deque() for _ in durations]
        self._again: list[tuple[float, int]] = []
        self._at: dict[int, float | None] = {}  # when each is due; None: it is fresh. Other entries do not count.
        self._scouts: list[set[int]] = [set() for _ in durations]
        self._job_timeout_s = job_timeout_s

    def opened(self, request: int, step: int, accepted_at: float) -> None:
        """A job was accepted."""
        if len(self._scouts[step]) < SCOUTS and not self._durations[step]:
            first_s = _SCOUTED_S * _GROWTH ** (len(self._scouts[step]) / SCOUTS)
            self._scouts[step].add(request)
            self.read_at(request, accepted_at + first_s)
        else:
            self._at[request] = None
            self._fresh[step].append(_Waiting(accepted_at, request))

    def read_again(self, request: int, step: int, accepted_at: float, now: float) -> None:
        """A read at `now` showed the job still open."""
        self._read_in(request, accepted_at, now, self._interval(request, step, now - accepted_at))

    def postpone(self, request: int, step: int, accepted_at: float, now: float) -> None:
        """The list shows the job at work: it is read when it should long be over, to see if the list is right."""
        check_s, age = self._check_s(step), now - accepted_at
        if check_s is None:
            delay = max(_FIRST_READ_WITHOUT_SAMPLE_S - age, (_GROWTH - 1) * age)
        else:
            delay = max(check_s - age, _OF_ITS_AGE * age)
        self._read_in(request, accepted_at, now, max(delay, _SHORTEST_S))

    def is_checked(self, request: int, step: int, accepted_at: float, now: float) -> bool:
        """Whether the job is read though the list shows it at work: when it should long be over, or it is a scout."""
        check_s = self._check_s(step)
        if now - accepted_at >= self._job_timeout_s:
            return True
        if check_s is None:
            return request in self._scouts[step] and now - accepted_at >= _FIRST_READ_WITHOUT_SAMPLE_S
        return now - accepted_at >= check_s

    def plan_anew(self, request: int, step: int, accepted_at: float, now: float) -> None:
        """More is known than when it was said when the job is read. One that is due already stays so."""
        if request not in self._at:
            return
        at = self._at[request]
        if (accepted_at + self._first_read(step) if at is None else at) > now:
            self.read_again(request, step, accepted_at, now)

    def soon(self, request: int, now: float, times: int) -> None:
        """A read at `now` showed the job over but not yet all its tasks, for the `times`-th time."""
        self.read_at(request, now + min(_LONGEST_S, _SOON_S * 2.0 ** min(times - 1, 10)))

    def read_at(self, request: int, at: float) -> None:
        """It is read at `at`, whatever was said before."""
        self._at[request] = at
        heappush(self._again, (at, request))

    def take(self, request: int) -> bool:
        """Take it out, to be read now; False: it is taken already, or over. It comes back as after `take_due`."""
        return self._at.pop(request, ...) is not ...

    def take_due(self, now: float, most: int) -> list[int]:
        """Up to `most` jobs that are due; each must come back by one of the other methods, or is over."""
        due: list[int] = []
        for step, fresh in enumerate(self._fresh):
            first = self._first_read(step)
            while fresh and len(due) < most and (not self._is_fresh(fresh) or fresh[0].accepted_at + first <= now):
                request = fresh.popleft().request
                if self._at.get(request, now) is None:
                    del self._at[request]
                    due.append(request)
        while self._again and len(due) < most and (not self._is_next() or self._again[0][0] <= now):
            at, request = heappop(self._again)
            if self._at.get(request) == at:
                del self._at[request]
                due.append(request)
        return due

    def next_due(self) -> float | None:
        """When the next job is due; None when there is none."""
        while self._again and not self._is_next():
            heappop(self._again)
        times = [self._again[0][0]] if self._again else []
        for step, fresh in enumerate(self._fresh):
            while fresh and not self._is_fresh(fresh):
                fresh.popleft()
            if fresh:
                times.append(fresh[0].accepted_at + self._first_read(step))
        return min(times, default=None)

    def _is_fresh(self, fresh: deque[_Waiting]) -> bool:
        return self._at.get(fresh[0].request, 0.0) is None

    def _is_next(self) -> bool:
        at, request = self._again[0]
        return self._at.get(request) == at

    def _read_in(self, request: int, accepted_at: float, now: float, delay: float) -> None:
        self.read_at(request, min(now + delay, max(now + 1.0, accepted_at + self._job_timeout_s)))

    def _check_s(self, step: int) -> float | None:
        """The age at which a job should long be over, seconds: a few may say little of that."""
        durations = self._durations[step]
        middle, most = durations.quantile(0.5), durations.quantile(0.95)
        if middle is None or most is None:
            return None
        return most + middle * (0.1 + 0.5 / len(durations)) + _SHORTEST_S

    def _apart(self, step: int) -> float:
        return max(_CLOSEST_S, self._durations[step].between(0.05, 0.95) / _OF_THE_TIME)

    def _first_read(self, step: int) -> float:
        early = self._durations[step].quantile(0.05)
        delay = _FIRST_READ_WITHOUT_SAMPLE_S if early is None else early + self._apart(step)
        return min(delay, self._job_timeout_s)

    def _interval(self, request: int, step: int, age: float) -> float:
        most = self._durations[step].quantile(0.95)
        if most is None:
            first = 0.0 if request in self._scouts[step] else _FIRST_READ_WITHOUT_SAMPLE_S
            return min(_LONGEST_S, max(_CLOSEST_S, (_GROWTH - 1) * age, first - age))
        late = min(_LONGEST_S, max(self._apart(step), (age - most) / 2))
        return max(late, self._first_read(step) - age)
