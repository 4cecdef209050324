"""Which minutes a window is open, by a walk through them: slow, and it knows nothing of how the runner finds it out."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from runner.spec.rollout.windows import Window


def _wall_minute(minute: int, zone: ZoneInfo) -> int:
    """What the clock on the wall shows at a minute since the epoch, in minutes since its own 1970."""
    offset = datetime.fromtimestamp(minute * 60, zone).utcoffset() or timedelta()
    return minute + offset // timedelta(minutes=1)


def _midnight(day: date) -> int:
    return (day - date(1970, 1, 1)).days * 1440


def open_minutes(window: Window, start: int, end: int) -> set[int]:
    """Minutes since the epoch that are open: every rule holds from its first minute to its last one."""
    zone = ZoneInfo(window.timezone)
    shown = [_wall_minute(minute, zone) for minute in range(start, end)]

    def span(first: int, stop: int) -> set[int]:
        inside = [minute for minute, wall in enumerate(shown, start) if first <= wall < stop]
        return set(range(inside[0], inside[-1] + 1)) if inside else set()

    found = set() if window.allow else set(range(start, end))
    for day in (date(1970, 1, 1) + timedelta(days) for days in range(shown[0] // 1440 - 1, shown[-1] // 1440 + 1)):
        for rule in window.allow:
            if day.weekday() in rule.days:
                found |= span(_midnight(day) + rule.start_min, _midnight(day) + rule.end_min)
    for denial in window.deny:
        found -= span(_midnight(denial.first), _midnight(denial.last + timedelta(1)))
    return found
