"""When a window is open: stretches of real time, from rules that speak of the clock on the wall.

Where that clock is set forward, a time that it never shows is the first moment after the gap. Where it is set back, a
stretch begins the first time that its start is shown and goes on until its last minute has been shown for the last
time; so it never ends in between, and lasts longer. Lengths are real seconds throughout.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from runner.spec.rollout.windows import (
    EXPECTED_ALLOW,
    EXPECTED_DENY,
    EXPECTED_TIMEZONE,
    AllowRule,
    DenyRule,
    Window,
    is_timezone,
    parse_allow,
    parse_deny,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "EXPECTED_ALLOW",
    "EXPECTED_DENY",
    "EXPECTED_TIMEZONE",
    "HORIZON_S",
    "AllowRule",
    "DenyRule",
    "Opening",
    "Window",
    "is_timezone",
    "longest_stretch_s",
    "next_opening",
    "parse_allow",
    "parse_deny",
]

HORIZON_S = 400 * 86_400.0
_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)


class Opening(NamedTuple):
    """A stretch in which work may be under way, without a break. Epoch seconds; `end` is no longer in it."""

    start: float
    end: float


def next_opening(window: Window, at: float, need_s: float) -> Opening | None:
    """The first stretch, from `at` on (epoch seconds), in which `need_s` seconds fit whole; None when there is none.

    It starts at `at` if that is in a stretch with enough of it left. Nothing is looked at beyond HORIZON_S after `at`:
    a stretch that goes on then is taken to end there.
    """
    return next((opening for opening in _stretches(window, at) if opening.end - opening.start >= need_s), None)


def longest_stretch_s(window: Window, at: float) -> float:
    """Seconds of the longest stretch from `at` to HORIZON_S after it; 0 when there is none."""
    return max((opening.end - opening.start for opening in _stretches(window, at)), default=0.0)


def _stretches(window: Window, at: float) -> Iterator[Opening]:
    """What is allowed from `at` to the horizon: in order, none empty, none touching the next."""
    zone = ZoneInfo(window.timezone)
    whole = Opening(at, at + HORIZON_S)
    first = datetime.fromtimestamp(whole.start, zone).date() - _DAY  # one that began yesterday may last past midnight
    last = datetime.fromtimestamp(whole.end, zone).date()
    denied = list(_merged(_denied(window, first, last, zone)))
    for allowed in _merged(_allowed(window, first, last, zone)) if window.allow else [whole]:
        within = Opening(max(allowed.start, whole.start), min(allowed.end, whole.end))
        yield from _without(within, denied)


def _allowed(window: Window, first: date, last: date, zone: ZoneInfo) -> Iterator[Opening]:
    """Every rule on every day, by their starts."""
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        day = date.fromordinal(ordinal)
        rules = (rule for rule in window.allow if day.weekday() in rule.days)
        yield from sorted(_between(day, rule.start_min, rule.end_min, zone) for rule in rules)


def _denied(window: Window, first: date, last: date, zone: ZoneInfo) -> list[Opening]:
    """What is denied between two dates, by starts."""
    spans = ((max(rule.first, first), min(rule.last, last)) for rule in window.deny)
    return sorted(_between(start, 0, ((end - start).days + 1) * 24 * 60, zone) for start, end in spans if start <= end)


def _between(day: date, start_min: int, end_min: int, zone: ZoneInfo) -> Opening:
    """Real time from one minute to another of the clock on the wall, both counted from midnight of `day`."""
    midnight = datetime.combine(day, time())
    end = midnight + end_min * _MINUTE
    # An end that is shown twice counts the second time only if the minute before it is shown twice, too: 02:00 is over
    # when it comes, even if the clock then goes on to 03:00 and back to 02:00.
    last_minute_over = _moment(end - _MINUTE, zone, fold=1) + _MINUTE.total_seconds()
    return Opening(
        _moment(midnight + start_min * _MINUTE, zone, fold=0), min(_moment(end, zone, fold=1), last_minute_over)
    )


def _moment(wall: datetime, zone: ZoneInfo, *, fold: int) -> float:
    """When the clock on the wall shows a time: the first time (fold 0) or the last (1). In a gap: when that is over."""
    by_fold = [wall.replace(tzinfo=zone, fold=either).timestamp() for either in (0, 1)]
    # Read by the offset before a gap (fold 0) a time in it lies after the gap, by the offset after it before.
    late, early = by_fold
    return _change(early, late, zone) if early < late else by_fold[fold]


def _change(early: float, late: float, zone: ZoneInfo) -> float:
    """The one whole second between the two at which the clock is set forward."""

    def offset(moment: int) -> timedelta:
        return datetime.fromtimestamp(moment, zone).utcoffset() or timedelta()

    seconds = range(int(early), int(late) + 1)
    return float(seconds[bisect_left(seconds, offset(seconds[-1]), key=offset)])


def _merged(openings: Iterable[Opening]) -> Iterator[Opening]:
    """Openings sorted by start, with those that overlap or touch made one."""
    current: Opening | None = None
    for opening in openings:
        if current is None:
            current = opening
        elif opening.start <= current.end:
            current = Opening(current.start, max(current.end, opening.end))
        else:
            yield current
            current = opening
    if current is not None:
        yield current


def _without(opening: Opening, denied: Iterable[Opening]) -> Iterator[Opening]:
    """What is left of an opening; `denied` is sorted and disjoint."""
    start = opening.start
    for denial in denied:
        if denial.start == denial.end:  # a day that the zone left out
            continue
        if start < min(denial.start, opening.end):
            yield Opening(start, min(denial.start, opening.end))
        start = max(start, denial.end)
    if start < opening.end:
        yield Opening(start, opening.end)
