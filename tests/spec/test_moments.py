"""Moments in several zones, on ordinary days and on those when clocks are changed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import cache
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.spec.moments import is_too_late, next_at, parse_deadline, parse_moment, slot_day

CHINA = timezone(timedelta(hours=8))


@pytest.fixture
def berlin() -> tzinfo:
    try:
        return ZoneInfo("Europe/Berlin")
    except ZoneInfoNotFoundError:
        pytest.skip("this machine has no time zone data")


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def next_time(moment: str, now: str, tz: tzinfo | None) -> str:
    parsed = parse_moment(moment)
    assert parsed is not None
    return datetime.fromtimestamp(next_at(parsed, at(now), tz), tz).isoformat()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("05:00", time(5)),
        (" 23:59 ", time(23, 59)),
        ("2026-11-25T05:00:00Z", datetime(2026, 11, 25, 5, tzinfo=UTC)),
        ("2026-11-25t05:00z", datetime(2026, 11, 25, 5, tzinfo=UTC)),
        ("2026-11-25 05:00:00.5+08:00", datetime(2026, 11, 25, 5, 0, 0, 500_000, tzinfo=CHINA)),
        *(
            (wrong, None)
            for wrong in ("24:00", "5:00", "05:60", "05:00:00", "", "noon", "2026-11-25", "1h", "\u0660\u0665:00")
        ),
        ("2026-11-25T05:00:00", None),
        ("2026-13-25T05:00:00Z", None),
        ("2026-11-25T05:00:00+99:00", None),
    ],
)
def test_what_is_a_moment(text: str, moment: object) -> None:
    assert parse_moment(text) == moment


@pytest.mark.parametrize(
    ("latest", "now", "late"),
    [
        ("03:00", "2026-11-25T01:00:00+08:00", False),
        ("03:00", "2026-11-25T03:00:00+08:00", False),
        ("03:00", "2026-11-25T03:00:01+08:00", True),
        ("03:00", "2026-11-25T16:00:00+08:00", True),
        ("03:00", "2026-11-25T18:59:59+08:00", True),
        ("03:00", "2026-11-25T19:00:00+08:00", False),
        ("02:00", "2026-11-25T23:00:00+08:00", False),
        ("02:00", "2026-11-26T01:59:00+08:00", False),
        ("02:00", "2026-11-26T02:30:00+08:00", True),
        ("23:30", "2026-11-25T23:00:00+08:00", False),
        ("23:30", "2026-11-26T00:10:00+08:00", True),
        ("2026-11-25T03:00:00Z", "2026-11-25T02:00:00Z", False),
        ("2026-11-25T03:00:00Z", "2026-11-24T02:00:00Z", False),
        ("2026-11-25T03:00:00Z", "2026-11-25T03:00:01Z", True),
    ],
)
def test_when_a_slot_is_too_late(latest: str, now: str, late: bool) -> None:
    moment = parse_moment(latest)
    assert moment is not None
    assert is_too_late(moment, at(now), CHINA) is late


@pytest.mark.parametrize(
    ("latest", "now", "day"),
    [
        ("05:00", "2026-11-25T21:00:00+08:00", "2026-11-26"),
        ("05:00", "2026-11-25T23:59:00+08:00", "2026-11-26"),
        ("05:00", "2026-11-26T00:01:00+08:00", "2026-11-26"),
        ("05:00", "2026-11-26T05:00:00+08:00", "2026-11-26"),
        ("05:00", "2026-11-26T08:00:00+08:00", "2026-11-26"),
        ("05:00", "2026-11-26T20:59:59+08:00", "2026-11-26"),
        ("05:00", "2026-11-26T21:00:00+08:00", "2026-11-27"),
        ("23:30", "2026-11-26T00:10:00+08:00", "2026-11-25"),
        ("2026-11-25T03:00:00+08:00", "2027-01-01T00:00:00Z", "2026-11-25"),
    ],
)
def test_every_try_for_a_night_is_for_one_day(latest: str, now: str, day: str) -> None:
    moment = parse_moment(latest)
    assert moment is not None
    assert slot_day(moment, at(now), CHINA).isoformat() == day


def test_a_time_that_clocks_skip_is_as_long_after_midnight_as_ever(berlin: tzinfo) -> None:
    assert next_time("02:30", "2026-03-29T00:00:00+01:00", berlin) == "2026-03-29T03:30:00+02:00"
    assert next_time("02:30", "2026-03-29T03:10:00+02:00", berlin) == "2026-03-29T03:30:00+02:00"
    assert next_time("02:30", "2026-03-29T03:31:00+02:00", berlin) == "2026-03-30T02:30:00+02:00"


def test_a_time_that_clocks_show_twice_is_the_first_of_the_two(berlin: tzinfo) -> None:
    assert next_time("02:30", "2026-10-25T00:00:00+02:00", berlin) == "2026-10-25T02:30:00+02:00"
    assert next_time("02:30", "2026-10-25T02:40:00+02:00", berlin) == "2026-10-26T02:30:00+01:00"
    assert is_too_late(time(2, 30), at("2026-10-25T02:10:00+01:00"), berlin)


@pytest.mark.parametrize(
    ("opens", "closes"),
    [
        ("2026-03-28T21:00:00+01:00", "2026-03-29T05:00:00+02:00"),  # seven hours
        ("2026-10-24T21:00:00+02:00", "2026-10-25T05:00:00+01:00"),  # nine
        ("2026-11-24T21:00:00+01:00", "2026-11-25T05:00:00+01:00"),
    ],
)
def test_the_window_is_eight_hours_by_the_clock_on_the_wall(berlin: tzinfo, opens: str, closes: str) -> None:
    latest = time(5)
    assert is_too_late(latest, at(opens) - 1, berlin)
    assert not is_too_late(latest, at(opens), berlin)
    assert not is_too_late(latest, at(closes), berlin)
    assert is_too_late(latest, at(closes) + 1, berlin)


# Clocks change on these days: by an hour, by half an hour, at midnight, over midnight, by a whole day.
CHANGES = [
    ("Asia/Shanghai", date(2026, 2, 28)),
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("America/Havana", date(2026, 3, 8)),
    ("America/Havana", date(2026, 11, 1)),
    ("America/St_Johns", date(2010, 11, 7)),
    ("Africa/Cairo", date(2026, 4, 24)),
    ("America/Nuuk", date(2024, 3, 30)),
    ("America/Scoresbysund", date(2024, 3, 31)),
    ("Pacific/Apia", date(2011, 12, 30)),
]
on_the_hour = st.sampled_from([time(hour, minute) for hour in range(24) for minute in (0, 30)])
times_of_day = st.one_of(on_the_hour, st.times().map(lambda moment: moment.replace(second=0, microsecond=0, fold=0)))


@cache
def walk(name: str, day: date) -> Sequence[tuple[int, int]]:
    """Minutes since the epoch around a day, each with what the clock on the wall shows, in minutes since its own 1970."""
    zone, noon = ZoneInfo(name), int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()) // 60
    minutes = range(noon - 5 * 1440, noon + 5 * 1440)
    offsets = (datetime.fromtimestamp(minute * 60, zone).utcoffset() or timedelta() for minute in minutes)
    return [(minute, minute + offset // timedelta(minutes=1)) for minute, offset in zip(minutes, offsets, strict=True)]


def first_shown(wall: int, minutes: Sequence[tuple[int, int]]) -> int:
    """The first minute of a walk at which the clock shows this; if it is skipped, as long after the gap's beginning."""
    for (before, shown_before), (minute, shown) in pairwise(minutes):
        if shown_before < wall <= shown:
            return minute if shown == wall else before + wall - shown_before
    raise AssertionError(wall)


@given(st.sampled_from(CHANGES), times_of_day, st.integers(-18 * 60, 30 * 60))
@example(("Europe/Berlin", date(2026, 3, 29)), time(10, 30), 150)
@example(("America/Havana", date(2026, 3, 8)), time(0, 30), 0)
@example(("Pacific/Apia", date(2011, 12, 30)), time(5), 0)
def test_a_slot_is_open_as_a_walk_through_the_minutes_finds_in_the_nights_when_clocks_change(
    change: tuple[str, date], latest: time, minutes: int
) -> None:
    name, day = change
    zone = ZoneInfo(name)
    noon = int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()) // 60
    now = noon + minutes
    open_for: set[date] = set()
    for days in range(-3, 4):
        closing = day + timedelta(days)
        wall = (closing - date(1970, 1, 1)).days * 1440 + latest.hour * 60 + latest.minute
        if first_shown(wall - 8 * 60, walk(name, day)) <= now <= first_shown(wall, walk(name, day)):
            open_for.add(closing)
    assert is_too_late(latest, now * 60.0, zone) is not bool(open_for)
    if open_for:
        # Where a whole day is skipped, two days close at one moment.
        assert slot_day(latest, now * 60.0, zone) == min(open_for)


@given(st.sampled_from(CHANGES), times_of_day, st.lists(st.floats(-30 * 3600, 40 * 3600), min_size=2, max_size=6))
def test_all_tries_from_one_opening_to_the_next_are_for_one_day(
    change: tuple[str, date], latest: time, moments: list[float]
) -> None:
    name, day = change
    zone = ZoneInfo(name)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()
    tries = [(noon + moment, slot_day(latest, noon + moment, zone)) for moment in sorted(moments)]
    for (one, its_day), (other, others_day) in pairwise(tries):
        assert its_day <= others_day
        # Too late all the way between them, or open all the way: nothing opened, so it is the same slot.
        between = [one + (other - one) * step / 150 for step in range(151)]
        opened = any(
            is_too_late(latest, before, zone) and not is_too_late(latest, after, zone)
            for before, after in pairwise(between)
        )
        assert opened or its_day == others_day


@given(st.times(), st.floats(0, 4e9), st.integers(-14, 14))
def test_a_time_of_day_comes_within_a_day_and_is_that_time(moment: time, now: float, hours: int) -> None:
    tz = timezone(timedelta(hours=hours))
    moment = moment.replace(second=0, microsecond=0)
    found = next_at(moment, now, tz)
    assert 0 <= found - now < 86_400
    assert datetime.fromtimestamp(found, tz).time() == moment
    assert is_too_late(moment, now, tz) is (found - now > 8 * 3600)  # here no clock changes


def test_a_deadline_is_a_moment_or_a_time_from_now() -> None:
    now = at("2026-11-25T23:00:00+08:00")
    assert parse_deadline("2h", now, CHINA) == now + 7200
    assert parse_deadline("05:00", now, CHINA) == now + 6 * 3600
    assert parse_deadline("2026-11-25T22:00:00+08:00", now, CHINA) == now - 3600
    assert parse_deadline("soon", now, CHINA) is None


COMPARED = """\
import sys
from datetime import time
from zoneinfo import ZoneInfo
from runner.spec.moments import is_too_late, next_at, slot_day
zone, noon = ZoneInfo(sys.argv[1]), float(sys.argv[2])
for latest in (time(0, 30), time(2, 30), time(5), time(10, 30)):
    for step in range(-120, 240):
        now = noon + step * 600
        for function in (is_too_late, next_at, slot_day):
            own, machines = function(latest, now, zone), function(latest, now, None)
            assert own == machines, (function, latest, now, own, machines)
"""


@pytest.mark.parametrize(("name", "day"), [CHANGES[1], CHANGES[2], CHANGES[5], CHANGES[8]])
@pytest.mark.process
def test_the_machines_own_zone_is_like_any_other(name: str, day: date) -> None:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()
    env = {"TZ": name, "PYTHONPATH": str(Path(__file__).parents[2])}
    compared = subprocess.run(
        [sys.executable, "-c", COMPARED, name, str(noon)], env=env, capture_output=True, text=True, check=False
    )
    assert compared.returncode == 0, compared.stderr
