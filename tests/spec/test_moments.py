"""Moments in several zones, on ordinary days and on those when clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.spec.moments import WINDOW_S, is_too_late, next_at, parse_deadline, parse_moment, slot_day

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


def test_the_window_is_eight_hours_long_on_every_day(berlin: tzinfo) -> None:
    """Not eight on the clock: 22:00 to 05:00 is six hours in the spring and eight in the autumn."""
    assert not is_too_late(time(5), at("2026-03-28T20:00:00+01:00"), berlin)
    assert is_too_late(time(5), at("2026-10-24T21:59:00+02:00"), berlin)
    assert not is_too_late(time(5), at("2026-10-24T22:00:00+02:00"), berlin)


@given(st.times(), st.floats(0, 4e9), st.integers(-14, 14))
def test_a_time_of_day_comes_within_a_day_and_is_that_time(moment: time, now: float, hours: int) -> None:
    tz = timezone(timedelta(hours=hours))
    moment = moment.replace(second=0, microsecond=0)
    found = next_at(moment, now, tz)
    assert 0 <= found - now < 86_400
    assert datetime.fromtimestamp(found, tz).time() == moment
    assert is_too_late(moment, now, tz) is (found - now > WINDOW_S)


def test_a_deadline_is_a_moment_or_a_time_from_now() -> None:
    now = at("2026-11-25T23:00:00+08:00")
    assert parse_deadline("2h", now, CHINA) == now + 7200
    assert parse_deadline("05:00", now, CHINA) == now + 6 * 3600
    assert parse_deadline("2026-11-25T22:00:00+08:00", now, CHINA) == now - 3600
    assert parse_deadline("soon", now, CHINA) is None
