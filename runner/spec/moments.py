"""Moments as people write them: `05:00`, or `2026-11-25T05:00:00+08:00`.

No clock and no time zone of its own: both are arguments. `tz` None is the machine's own zone.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from runner.spec.quantities import parse_duration

if TYPE_CHECKING:
    from datetime import tzinfo

Moment = time | datetime
"""A time of day, which comes again every day; or one moment, with its offset from UTC."""

EXPECTED_MOMENT = "a time such as 05:00, or a date and time with offset such as 2026-11-25T05:00:00+08:00"
WINDOW_S = 8 * 3600.0
"""How long before a time of day that closes it a slot is open, seconds."""

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
    today = datetime.fromtimestamp(now, tz).date()
    # From yesterday on: a skipped time close to midnight is on the day after.
    days = (today + timedelta(days=days) for days in range(-1, 3))
    return next(at for at in (datetime.combine(day, moment, tz).timestamp() for day in days) if at >= now)


def is_too_late(latest: Moment, now: float, tz: tzinfo | None) -> bool:
    """Whether `now` is after `latest`.

    A time of day closes a window of 8 hours, over midnight too, and the rest of the day is too late: 02:00 allows a
    start from 18:00 to 02:00. What was missed in the night must not start in the middle of the next working day.
    """
    at = next_at(latest, now, tz)
    return now > at or (isinstance(latest, time) and at - now > WINDOW_S)


def slot_day(latest: Moment, now: float, tz: tzinfo | None) -> date:
    """The day, in `tz`, on which the slot closes that a start at `now` is for; after that, on which it closed.

    So all tries of one night have one day, before and after midnight, and also one that comes too late.
    """
    if isinstance(latest, datetime):
        return latest.date()
    day = datetime.fromtimestamp(next_at(latest, now, tz), tz).date()
    return day - timedelta(days=1) if is_too_late(latest, now, tz) else day


def parse_deadline(text: str, now: float, tz: tzinfo | None) -> float | None:
    """When it is, epoch seconds: a moment, or a duration from `now`. None when it is neither."""
    seconds = parse_duration(text)
    if seconds is not None:
        return now + seconds
    moment = parse_moment(text)
    return None if moment is None else next_at(moment, now, tz)
