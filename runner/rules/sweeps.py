"""When to look through the job list for jobs that are over, so that their end is known soon at few reads.

One page tells of many jobs. The spacing is that at which waiting and reading weigh the same: it grows with the root of what
a look costs, and of how rarely jobs end.
"""

from __future__ import annotations

from math import inf, sqrt
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from runner.rules.durations import Durations

# Not closer than this, seconds; where a limit lets only few jobs run and others wait for their end, than the second.
SHORTEST_S = 1.6
AT_A_LIMIT_S = 0.4
# Up to so many jobs are few.
FEW = 30
# The spacing, seconds, where one page tells of jobs of which one ends each second.
_SPACING_S = 1.3
# The part of the rate of reads that looks may use: each job that is over is read by itself.
_SHARE = 0.4
# While no job of a step is known to be over, as a share of its age; and how young it may be then, seconds.
_OF_ITS_AGE = 30.0
_OF_ITS_AGE_AT_A_LIMIT = 400.0
_YOUNGEST_S = 1.0
# Even if no job should be over, it is looked so often: many that fail at once are to be known of, seconds.
_ANYWAY_S = 15.0
_ANYWAY_SHARE = 8.0
# The fewest jobs that a duration is told from without more doubt.
_ENOUGH = 5


class Span(NamedTuple):
    """The ages, seconds, at which a job of a step may be over: before, hardly any is; after, it is not waited for any more.

    `width_s` is the time in which most of them end; 0 while nothing is known of them.
    """

    begin_s: float
    end_s: float
    width_s: float


def span_of(durations: Durations) -> Span:
    """When jobs like these end."""
    early, middle, most = durations.quantile(0.05), durations.quantile(0.5), durations.quantile(0.95)
    if early is None or middle is None or most is None:
        return Span(_YOUNGEST_S, inf, 0.0)
    width_s = max(1.0, 2 * durations.between(0.25, 0.75))
    if is_predictable(durations):
        return Span(most + SHORTEST_S, most + SHORTEST_S + middle, width_s)
    begin_s = max(0.8 * early, early - width_s / 2) if len(durations) >= _ENOUGH else early / 2
    end_s = most + width_s + middle * (0.25 + 2 / len(durations))
    return Span(max(min(begin_s, early - _YOUNGEST_S), 0.5), end_s, width_s)


def is_predictable(durations: Durations) -> bool:
    """Whether jobs like these end within so short a time that each is read by itself, right after."""
    return len(durations) >= _ENOUGH and durations.between(0.05, 0.95) < SHORTEST_S


class Candidates:
    """The jobs of one lane that may be over, counted: `add` each that is within its span."""

    def __init__(self) -> None:
        self.count = 0
        self._per_second = 0.0
        self._unknown = 0
        self._oldest_s = 0.0

    def add(self, span: Span, age_s: float) -> None:
        """One more."""
        self.count += 1
        if span.width_s:
            self._per_second += 1 / span.width_s
        else:
            self._unknown += 1
            self._oldest_s = max(self._oldest_s, age_s)

    def spacing_s(self, pages: int, rate: float | None, *, others_wait: bool) -> float:
        """How long after one look at so many `pages` the next one comes; `rate` is that of reads, None: no limit."""
        known = _SPACING_S * sqrt(min(pages, self.count) / self._per_second) if self._per_second else inf
        looks = min(_OF_ITS_AGE, (10.0 + self._unknown) / pages)
        unknown = self._oldest_s / looks if self._unknown else inf
        if others_wait and self.count <= FEW:
            wanted = max(AT_A_LIMIT_S, 0.0 if self._per_second else self._oldest_s / _OF_ITS_AGE_AT_A_LIMIT)
        else:
            wanted = max(SHORTEST_S, min(known, unknown))
        return max(wanted, pages / (_SHARE * rate)) if rate else wanted


def anyway_s(durations: Durations) -> float:
    """How often it is looked where no job should be over yet."""
    return max(_ANYWAY_S, (durations.quantile(0.5) or 0.0) / _ANYWAY_SHARE)
