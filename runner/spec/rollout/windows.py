"""Calendar windows as people write them: when work is allowed, on which dates it is denied, and where that clock hangs.

They are on the floor of jobspecs, so that the loader can read them; `runner.rules.windows` reckons with them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from runner.spec.rollout.model import WindowRules

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAILY = "daily"
_HOUR = 60
_DAY = 24 * _HOUR
_ALLOW = re.compile(r"(?:(.*\S)\s+)?([0-9]{1,2}):([0-9]{2})\s*-\s*([0-9]{1,2}):([0-9]{2})")
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_DENY = re.compile(rf"({_DATE})(?:\s*\.\.\s*({_DATE}))?")
# What it means differs from machine to machine, and a plan must not.
_OF_THE_MACHINE = "localtime"

EXPECTED_ALLOW = 'days and times such as "Sat,Sun 01:00-06:00", "Mon-Fri 22:00-02:00" or "daily 02:00-04:00"'
EXPECTED_DENY = "a date such as 2026-12-24, or first and last dates such as 2026-12-24..2027-01-02"
EXPECTED_TIMEZONE = "an IANA time zone such as Asia/Shanghai, Europe/Berlin or UTC"


@dataclass(frozen=True, slots=True)
class AllowRule:
    """Times that are allowed, once for each of some days of the week.

    `days` count from Monday, 0. `start_min` and `end_min` are minutes by the clock on the wall, counted from midnight of
    the day it begins on: 0 <= start_min < 1440, and start_min < end_min < start_min + 1440 but for a whole day, which
    is 0 to 1440. An end above 1440 is on the day after.
    """

    days: frozenset[int]
    start_min: int
    end_min: int


@dataclass(frozen=True, slots=True)
class DenyRule:
    """Local dates that are denied; both `first` and `last` are."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Window:
    """When work may be under way: in any of `allow` (always, if there are none) and on no date of `deny`.

    `timezone` is an IANA name that `is_timezone` knows.
    """

    allow: tuple[AllowRule, ...] = ()
    deny: tuple[DenyRule, ...] = ()
    timezone: str = "UTC"


def is_timezone(name: str) -> bool:
    """Whether it names a time zone that this machine knows and every machine takes for the same."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return name != _OF_THE_MACHINE


def parse_allow(text: str) -> AllowRule | None:
    """The rule; None when it is none. Days that are left out are all. An end before its start is on the next day."""
    match = _ALLOW.fullmatch(text.strip())
    if match is None:
        return None
    days = _days(match[1] or _DAILY)
    start, end = _minutes(match[2], match[3]), _minutes(match[4], match[5])
    if days is None or start is None or end is None or start in {end, _DAY}:
        return None
    return AllowRule(days, start, end if end > start else end + _DAY)


def parse_deny(text: str) -> DenyRule | None:
    """The rule; None when it is none, names no date, or ends before it begins."""
    match = _DENY.fullmatch(text.strip())
    if match is None:
        return None
    try:
        first = date.fromisoformat(match[1])
        last = date.fromisoformat(match[2] or match[1])
    except ValueError:
        return None
    return DenyRule(first, last) if first <= last else None


def _minutes(hours: str, minutes: str) -> int | None:
    """Minutes since midnight, 24:00 included."""
    total = int(hours) * _HOUR + int(minutes)
    return total if int(minutes) < _HOUR and total <= _DAY else None


def _days(text: str) -> frozenset[int] | None:
    if text.lower() == _DAILY:
        return frozenset(range(len(_DAYS)))
    days: set[int] = set()
    for part in text.lower().split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        if first not in _DAYS or (dash and last not in _DAYS):
            return None
        start, end = _DAYS.index(first), _DAYS.index(last or first)
        # Fri-Mon goes over the end of the week.
        days |= {day % len(_DAYS) for day in range(start, (end if end >= start else end + len(_DAYS)) + 1)}
    return frozenset(days)


def window_of(rules: WindowRules) -> Window:
    """The rules as values; what cannot be read was refused when the jobspec was loaded."""
    allow = filter(None, map(parse_allow, rules.allow))
    deny = filter(None, map(parse_deny, rules.deny))
    return Window(tuple(allow), tuple(deny), rules.timezone)
