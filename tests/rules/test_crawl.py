from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.rules.crawl import Crawl, crawl

counts = st.integers(0, 10_000)


def test_one_at_a_time_for_hours_is_a_crawl() -> None:
    assert crawl(1, 100, 50, 600.0) == Crawl(1, 100, 60_000.0)
    assert crawl(3, 100, 50, 600.0) == Crawl(3, 100, 34 * 600.0)


def test_what_is_over_soon_is_none() -> None:
    assert crawl(1, 100, 50, 35.9) is None
    assert crawl(1, 100, 50, 36.0) is not None


@given(counts, counts, counts)
def test_room_for_a_tenth_is_enough_and_no_room_is_another_matter(room: int, servers: int, at_once: int) -> None:
    found = crawl(room, servers, at_once, 1e6)
    assert (found is not None) == (room > 0 and room * 10 <= at_once and room * 10 <= servers)
