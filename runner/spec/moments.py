"""Moments as people write them: `05:00`, or `2026-11-25T05:00:00+08:00`.

No clock and no time zone of its own: both are arguments. `tz` None is the machine's own zone.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from runner.spec.quantities import parse_duration

if TYPE_CHECKING:
    from datetime import tzinfo

Moment = time | datetime
"""A time of day, which comes again every day; or one moment, with its offset from UTC."""

EXPECTED_MOMENT = "a time such as 05:00, or a date and time with offset such as 2026-11-25T05:00:00+08:00"
_WINDOW = timedelta(hours=8)
"""How long before a time of day that closes it a slot is open, by the clock on the wall."""

_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_DATE_AND_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def parse_moment(text: str) -> Moment | None:
    """None when it is no moment, or a date and time without its offset from UTC."""
    text = text.strip()
    if match := _TIME_OF_DAY.fullmatch(text):
        return time(int(match[1]), int(match[2]))
    if not _DATE_AND_TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None


def next_at(moment: Moment, now: float, tz: tzinfo | None) -> float:
    """When a moment is, epoch seconds; a time of day: when clocks in `tz` show it next, at `now` or later.

    On the day that clocks go forward, a time that they skip is as long after midnight as if they did not (02:30 is
    03:30 then); on the day that they go back, a time that they show twice is the first of the two.
    """
    if isinstance(moment, datetime):
        return moment.timestamp()
    return next(closing.at for closing in _closings(moment, now, tz) if closing.at >= now)


class _Closing(NamedTuple):
    """A time of day on one day: the day that is meant, and when clocks show it, epoch seconds."""

    day: date
    at: float


def _closings(moment: time, now: float, tz: tzinfo | None) -> list[_Closing]:
    """Those of a few days before `now` and after it, in order.

    From a few days before on: a skipped time is on the day after if it is close to midnight. Where clocks skip a whole day
    the times of two days are one, which is the earlier day's.
    """
    today = datetime.fromtimestamp(now, tz).date()
    days = (today + timedelta(days=days) for days in range(3, -4, -1))
    by_moment = {datetime.combine(day, moment, tz).timestamp(): day for day in days}
    return [_Closing(day, at) for at, day in sorted(by_moment.items())]


def is_too_late(latest: Moment, now: float, tz: tzinfo | None) -> bool:
    """Whether `now` is after `latest`.

    A time of day closes a window of 8 hours, over midnight too, and the rest of the day is too late: 02:00 allows a
    start from 18:00 to 02:00, by the clock on the wall, also in the nights when clocks change. What was missed in the
    night must not start in the middle of the next working day.
    """
    if isinstance(latest, datetime):
        return now > latest.timestamp()
    return now < _opens_at(next(closing for closing in _closings(latest, now, tz) if closing.at >= now), latest, tz)


def _opens_at(closing: _Closing, latest: time, tz: tzinfo | None) -> float:
    """When the slot opens that closes then, epoch seconds."""
    return (datetime.combine(closing.day, latest) - _WINDOW).replace(tzinfo=tz).timestamp()


def slot_day(latest: Moment, now: float, tz: tzinfo | None) -> date:
    """The day, in `tz`, on which the slot closes that a start at `now` is for; after that, on which it closed.

    So all tries of one night have one day, before and after midnight, and also one that comes too late.
    """
    if isinstance(latest, datetime):
        return latest.date()
    closings = _closings(latest, now, tz)
    upcoming = next(place for place, closing in enumerate(closings) if closing.at >= now)
    return closings[upcoming - is_too_late(latest, now, tz)].day


def parse_deadline(text: str, now: float, tz: tzinfo | None) -> float | None:
    """When it is, epoch seconds: a moment, or a duration from `now`. None when it is neither."""
    seconds = parse_duration(text)
    if seconds is not None:
        return now + seconds
    moment = parse_moment(text)
    return None if moment is None else next_at(moment, now, tz)
