"""How long what is left of a run will take, with its spread: from how long jobs took so far, and how fast they began.

What began together is over when its slowest job is: the largest of n durations stays within x with the n-th power of the
chance that one does (order statistics; David and Nagaraja, Order Statistics, 2003, 2.1). So of the durations seen the
quantile at p^(1/n) is what the last of n stays within with chance p; p is a tenth, a half and nine tenths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Quantile = Callable[[float], float]

_CHANCES = (0.1, 0.5, 0.9)


class TimeLeft(NamedTuple):
    """Seconds until the end: with a chance of a tenth it is sooner than `low`, with one of a tenth later than `high`."""

    low: float
    likely: float
    high: float


class PartLeft(NamedTuple):
    """A wave, or all of a run without. So many servers are to be started yet, so many jobs are to be over.

    The last of those that were started is so old, seconds; `pauses_s` are soaks, and what else takes time for sure.
    """

    to_start: int
    jobs: int
    youngest_s: float = 0.0
    pauses_s: float = 0.0


def time_left(parts: Iterable[PartLeft], durations: Iterable[Quantile], pace: float) -> TimeLeft:
    """What is left of the parts, one after the other. Each server goes through a job of each of the `durations`.

    `pace` is servers started a second; infinity where nothing holds them up. `durations` give quantiles, seconds.
    """
    parts, durations = list(parts), list(durations)
    return TimeLeft(*(sum(_part_s(part, durations, pace, chance) for part in parts) for chance in _CHANCES))


def _part_s(part: PartLeft, durations: Iterable[Quantile], pace: float, chance: float) -> float:
    if part.jobs <= 0:
        return part.pauses_s
    slowest_s = sum(quantile(chance ** (1 / part.jobs)) for quantile in durations)
    if part.to_start > 0:
        return part.to_start / pace + slowest_s + part.pauses_s
    return max(0.0, slowest_s - part.youngest_s) + part.pauses_s
