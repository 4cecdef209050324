"""When to read which job, so that a fleet is watched with few reads.

Jobs of one step take about equally long. The first few are read often, as scouts; once one is over, the others are
first read when most like them are over.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from typing import NamedTuple

from runner.rules.durations import Durations

SCOUTS = 8
_FIRST_READ_WITHOUT_SAMPLE_S = 60.0
_SHORTEST_S = 2.0
_LONGEST_S = 120.0


class _Waiting(NamedTuple):
    accepted_at: float
    request: int


class WatchSchedule:
    """Which open jobs of a lane are due to be read. Times are epoch seconds; jobs are named by their request."""

    def __init__(self, steps: int, job_timeout_s: float) -> None:
        self._durations = [Durations() for _ in range(steps)]
        # Jobs that were never read stand in the order they were accepted, so that what is learned later moves all.
        self._fresh: list[deque[_Waiting]] = [deque() for _ in range(steps)]
        self._again: list[tuple[float, int]] = []
        self._scouts = [0] * steps
        self._job_timeout_s = job_timeout_s

    def opened(self, request: int, step: int, accepted_at: float) -> None:
        """A job was accepted."""
        if self._scouts[step] < SCOUTS and self._durations[step].quantile(0.5) is None:
            self._scouts[step] += 1
            heappush(self._again, (accepted_at + _SHORTEST_S, request))
        else:
            self._fresh[step].append(_Waiting(accepted_at, request))

    def learn(self, step: int, duration_s: float) -> None:
        """A job of the step is over after `duration_s`."""
        self._durations[step].add(duration_s)

    def read_again(self, request: int, step: int, accepted_at: float, now: float) -> None:
        """A read at `now` showed the job still open."""
        delay = self._interval(step, now - accepted_at)
        heappush(self._again, (min(now + delay, max(now + 1.0, accepted_at + self._job_timeout_s)), request))

    def soon(self, request: int, now: float, times: int) -> None:
        """A read at `now` showed the job over but not yet all its tasks, for the `times`-th time."""
        heappush(self._again, (now + min(_LONGEST_S, 0.5 * 2.0 ** min(times, 10)), request))

    def read_at(self, request: int, at: float) -> None:
        """A read failed, and is made again at `at`."""
        heappush(self._again, (at, request))

    def take_due(self, now: float, most: int) -> list[int]:
        """Up to `most` jobs that are due; each must come back by `read_again`, `soon` or `read_at`, or is over."""
        due: list[int] = []
        for step, fresh in enumerate(self._fresh):
            first = self._first_read(step)
            while fresh and len(due) < most and fresh[0].accepted_at + first <= now:
                due.append(fresh.popleft().request)
        while self._again and len(due) < most and self._again[0][0] <= now:
            due.append(heappop(self._again)[1])
        return due

    def next_due(self) -> float | None:
        """When the next job is due; None when there is none."""
        times = [fresh[0].accepted_at + self._first_read(step) for step, fresh in enumerate(self._fresh) if fresh]
        if self._again:
            times.append(self._again[0][0])
        return min(times, default=None)

    def _first_read(self, step: int) -> float:
        typical = self._durations[step].quantile(0.8)
        delay = _FIRST_READ_WITHOUT_SAMPLE_S if typical is None else typical + 1.0
        return min(delay, self._job_timeout_s)

    def _interval(self, step: int, age: float) -> float:
        typical = self._durations[step].quantile(0.8)
        if typical is None:
            return min(_LONGEST_S, max(_SHORTEST_S, age / 2))
        if age < typical:
            return min(_LONGEST_S, max(_SHORTEST_S, typical - age + 1.0))
        return min(_LONGEST_S, max(_SHORTEST_S, typical / 8, (age - typical) / 2))
