"""When windows are open, against a walk through every minute of days on which clocks change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.rules.windows import (
    HORIZON_S,
    AllowRule,
    DenyRule,
    Opening,
    Window,
    is_timezone,
    longest_stretch_s,
    next_opening,
    parse_allow,
    parse_deny,
)
from tests.wall_clocks import open_minutes

DAY_S = 86_400
# Clocks change on these days: by an hour, by half an hour, at midnight, by a whole day.
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
    ("Africa/Cairo", date(2026, 10, 30)),
    ("Pacific/Apia", date(2011, 12, 30)),
]
EVERY_DAY = frozenset(range(7))


def allow(*texts: str) -> tuple[AllowRule, ...]:
    rules = [parse_allow(text) for text in texts]
    assert None not in rules
    return tuple(rule for rule in rules if rule)


def deny(*texts: str) -> tuple[DenyRule, ...]:
    rules = [parse_deny(text) for text in texts]
    assert None not in rules
    return tuple(rule for rule in rules if rule)


def epoch(text: str, zone: str = "UTC", fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


# Most drawn times lie where clocks change.
minutes = st.one_of(st.integers(0, 1439), st.sampled_from([0, 30, 60, 90, 120, 150, 180, 210, 1380, 1410, 1439]))


@st.composite
def allow_rules(draw: st.DrawFn) -> AllowRule:
    start, end = draw(minutes), draw(st.one_of(minutes, st.just(1440)))
    if start == end:
        end += 1
    days = draw(st.one_of(st.just(EVERY_DAY), st.frozensets(st.integers(0, 6), min_size=1)))
    return AllowRule(days, start, end if end > start else end + 1440)


@st.composite
def windows_at(draw: st.DrawFn) -> tuple[Window, float]:
    zone, day = draw(st.sampled_from(CHANGES))
    firsts = draw(st.lists(st.integers(-3, 4).map(lambda days: day + timedelta(days)), max_size=2))
    denied = tuple(DenyRule(first, first + timedelta(draw(st.integers(0, 1)))) for first in firsts)
    window = Window(tuple(draw(st.lists(allow_rules(), max_size=3))), denied, zone)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()
    return window, noon + draw(st.integers(-2 * DAY_S, DAY_S))


def runs(found: set[int]) -> Iterator[Opening]:
    for _, pairs in groupby(enumerate(sorted(found)), lambda pair: pair[1] - pair[0]):
        run = [minute for _, minute in pairs]
        yield Opening(run[0] * 60.0, (run[-1] + 1) * 60.0)


@given(windows_at(), st.integers(1, 30 * 3600))
@example((Window(allow("22:00-24:00"), (), "America/Havana"), epoch("2026-10-31T12:00")), 7200)
@example((Window(allow("01:00-02:00"), (), "Europe/Berlin"), epoch("2026-10-25T12:00") - DAY_S), 3600)
@example((Window(allow("00:30-02:30"), (), "Europe/Berlin"), epoch("2026-10-24T12:00")), 3600)
@example((Window(allow("02:30-05:00"), (), "Europe/Berlin"), epoch("2026-03-28T12:00")), 3600)
@example((Window((), deny("2010-11-06"), "America/St_Johns"), epoch("2010-11-06T12:00")), 1)
def test_the_first_stretch_that_is_long_enough_is_what_a_walk_through_the_minutes_finds(
    drawn: tuple[Window, float], need_s: int
) -> None:
    window, at = drawn
    start = int(at) // 60
    looked_at = start + 3 * 1440
    found = open_minutes(window, start - 2 * 1440, looked_at + 2 * 1440) & set(range(start, looked_at))
    expected = [Opening(max(run.start, at), run.end) for run in runs(found)]
    # What goes on where the walk ends is not known.
    expected = [run for run in expected if run.end < looked_at * 60 and run.end - run.start >= need_s]
    opening = next_opening(window, at, need_s)
    if expected:
        assert opening == expected[0]
    else:
        assert opening is None or opening.end >= looked_at * 60


@given(windows_at(), st.floats(0, 30 * 3600))
def test_an_opening_is_never_early_nor_short_and_asked_again_it_is_the_same(
    drawn: tuple[Window, float], need_s: float
) -> None:
    window, at = drawn
    opening = next_opening(window, at, need_s)
    longest = longest_stretch_s(window, at)
    assert (opening is not None) == (longest >= need_s and longest > 0)
    if opening is not None:
        assert opening.start >= at
        assert max(need_s, 1) <= opening.end - opening.start <= longest
        again = next_opening(window, opening.start, need_s)
        assert again is not None
        assert again.start == opening.start
        assert again.end >= opening.end


def test_in_the_middle_of_a_stretch_it_is_open_at_once_if_enough_is_left() -> None:
    window = Window(allow("Sat,Sun 01:00-06:00"))
    at = epoch("2026-08-01T04:00")  # a Saturday
    assert next_opening(window, at, 7200) == Opening(at, epoch("2026-08-01T06:00"))
    assert next_opening(window, at, 7201) == Opening(epoch("2026-08-02T01:00"), epoch("2026-08-02T06:00"))
    assert next_opening(window, epoch("2026-08-03T00:00"), 1) == Opening(
        epoch("2026-08-08T01:00"), epoch("2026-08-08T06:00")
    )
    assert next_opening(window, at, 5 * 3600 + 1) is None
    assert longest_stretch_s(window, at) == 5 * 3600


def test_stretches_that_touch_or_overlap_are_one() -> None:
    at = epoch("2026-08-01T00:00")
    one = Opening(epoch("2026-08-01T22:00"), epoch("2026-08-02T04:00"))
    assert next_opening(Window(allow("Sat 22:00-24:00", "Sun 00:00-04:00")), at, 1) == one
    assert next_opening(Window(allow("Sun 00:00-04:00", "Sat 22:00-01:00")), at, 1) == one
    assert next_opening(Window(allow("Sat 22:00-04:00", "Sat 23:00-01:00")), at, 1) == one


def test_what_begins_before_midnight_belongs_to_the_day_it_begins_on() -> None:
    window = Window(allow("Sat 22:00-02:00"), (), "Asia/Shanghai")
    assert next_opening(window, epoch("2026-08-02T01:00", "Asia/Shanghai"), 3600) == Opening(
        epoch("2026-08-02T01:00", "Asia/Shanghai"), epoch("2026-08-02T02:00", "Asia/Shanghai")
    )
    assert next_opening(window, epoch("2026-08-01T01:00", "Asia/Shanghai"), 1) == Opening(
        epoch("2026-08-01T22:00", "Asia/Shanghai"), epoch("2026-08-02T02:00", "Asia/Shanghai")
    )


def test_a_denied_date_cuts_at_local_midnight() -> None:
    window = Window(allow("daily 22:00-02:00"), deny("2026-12-24..2027-01-02"), "Europe/Berlin")
    at = epoch("2026-12-23T23:00", "Europe/Berlin")
    assert next_opening(window, at, 3600) == Opening(at, epoch("2026-12-24T00:00", "Europe/Berlin"))
    assert next_opening(window, at, 3601) == Opening(
        epoch("2027-01-03T00:00", "Europe/Berlin"), epoch("2027-01-03T02:00", "Europe/Berlin")
    )


def test_without_rules_it_is_always_open_but_on_denied_dates() -> None:
    at = epoch("2026-08-01T12:00")
    assert next_opening(Window(), at, 1e6) == Opening(at, at + HORIZON_S)
    assert next_opening(Window(deny=deny("2026-08-03")), at, 1) == Opening(at, epoch("2026-08-03T00:00"))
    assert next_opening(Window(deny=deny("0001-01-01..9999-12-31")), at, 0) is None
    assert longest_stretch_s(Window(deny=deny("0001-01-01..9999-12-31")), at) == 0


def test_lengths_are_real_seconds_on_the_days_when_clocks_change() -> None:
    window = Window(allow("01:00-04:00"), (), "Europe/Berlin")
    spring, autumn = (epoch(f"{day}T00:00", "Europe/Berlin") for day in ("2026-03-29", "2026-10-25"))
    assert next_opening(window, spring, 1) == Opening(spring + 3600, spring + 3 * 3600)
    assert next_opening(window, autumn, 1) == Opening(autumn + 3600, autumn + 5 * 3600)
    assert longest_stretch_s(window, spring) == 4 * 3600


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Sat,Sun 01:00-06:00", AllowRule(frozenset({5, 6}), 60, 360)),
        ("Mon-Fri 02:00-04:00", AllowRule(frozenset(range(5)), 120, 240)),
        ("Fri-Mon, Wed 2:00 - 4:00", AllowRule(frozenset({4, 5, 6, 0, 2}), 120, 240)),
        ("daily 22:00-02:00", AllowRule(EVERY_DAY, 1320, 1560)),
        ("22:00-02:00", AllowRule(EVERY_DAY, 1320, 1560)),
        (" sun 22:00-24:00 ", AllowRule(frozenset({6}), 1320, 1440)),
        ("sun 22:00-00:00", AllowRule(frozenset({6}), 1320, 1440)),
        ("00:00-24:00", AllowRule(EVERY_DAY, 0, 1440)),
        *[
            (text, None)
            for text in (
                *("", "daily", "Sat", "Sat 01:00", "Sat 01-06", "Sat 01:00-25:00", "01:60-02:00", "24:00-02:00"),
                *("24:00-24:00", "02:00-02:00", "00:00-00:00", "22:00-24:01", "Sam 01:00-02:00", "Sat- 01:00-02:00"),
                *("-Sat 01:00-02:00", ", 01:00-02:00", "Sat, 01:00-02:00", "daily,Sat 01:00-02:00", "1:0-2:0"),
                *("Sat01:00-02:00", "01:00-02:00 Sat", "Mon-Wed-Fri 01:00-02:00"),
            )
        ],
    ],
)
def test_what_is_allowed_as_people_write_it(text: str, rule: AllowRule | None) -> None:
    assert parse_allow(text) == rule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("2026-12-24..2027-01-02", DenyRule(date(2026, 12, 24), date(2027, 1, 2))),
        (" 2026-12-24 .. 2026-12-24 ", DenyRule(date(2026, 12, 24), date(2026, 12, 24))),
        ("2026-12-24", DenyRule(date(2026, 12, 24), date(2026, 12, 24))),
        *[
            (text, None)
            for text in ("", "..", "2026-12-24..", "..2026-12-24", "2027-01-02..2026-12-24", "2026-02-30", "2026-W01-1")
        ],
        *[(text, None) for text in ("20261224", "24.12.2026", "2026-12-24...2026-12-26", "2026-12-24-2026-12-26")],
    ],
)
def test_what_is_denied_as_people_write_it(text: str, rule: DenyRule | None) -> None:
    assert parse_deny(text) == rule


@pytest.mark.parametrize("name", ["UTC", "Asia/Shanghai", "Europe/Berlin", "Australia/Lord_Howe"])
def test_time_zones_are_known_by_name(name: str) -> None:
    assert is_timezone(name)


@pytest.mark.parametrize(
    "name",
    ["", "Mars/Olympus", "Europe", "../UTC", "/etc/localtime", "localtime", "UTC+8", "a\0b", "x" * 5000, "\udc80"],
)
def test_what_is_no_time_zone_is_known_too(name: str) -> None:
    assert not is_timezone(name)


def test_at_its_very_end_a_window_is_over_even_for_what_takes_no_time() -> None:
    window = Window(allow("01:00-02:00"), (), "UTC")
    assert next_opening(window, epoch("2026-11-25T02:00"), 0.0) == Opening(
        epoch("2026-11-26T01:00"), epoch("2026-11-26T02:00")
    )
    assert next_opening(window, epoch("2026-11-25T01:59:59"), 0.0) == Opening(
        epoch("2026-11-25T01:59:59"), epoch("2026-11-25T02:00")
    )


def test_at_its_very_start_a_denied_day_is_denied_even_for_what_takes_no_time() -> None:
    window = Window((), deny("2026-11-25"), "UTC")
    opening = next_opening(window, epoch("2026-11-25T00:00"), 0.0)
    assert opening is not None
    assert opening.start == epoch("2026-11-26T00:00")


def test_the_last_day_within_four_hundred_is_looked_at_and_the_next_one_is_not() -> None:
    at = epoch("2026-01-01T12:00")
    assert HORIZON_S == 400 * DAY_S
    last = date(2026, 1, 1) + timedelta(days=400)
    until_then = Window((), deny(f"2026-01-01..{last - timedelta(days=1)}"), "UTC")
    assert next_opening(until_then, at, 0.0) == Opening(epoch(f"{last}T00:00"), at + HORIZON_S)
    assert longest_stretch_s(until_then, at) == DAY_S / 2
    assert next_opening(Window((), deny(f"2026-01-01..{last}"), "UTC"), at, 0.0) is None
    allowed = Window(allow("00:00-24:00"), until_then.deny, "UTC")
    assert next_opening(allowed, at, 0.0) == Opening(epoch(f"{last}T00:00"), at + HORIZON_S)
