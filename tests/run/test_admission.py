"""Windows are remembered from one look to the next, and somebody may set the wall clock in between."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.rules.windows import Window, next_opening, parse_allow, parse_deny
from runner.run.admission import ClosedUntil, OpeningsSeen

HOUR = 3600.0
EVERY_NIGHT = ("daily 01:00-05:00", "2000-01-01")
TWO_NIGHTS = ("daily 01:00-05:00", "1970-01-03..1972-12-31")
looks = st.lists(st.tuples(st.integers(0, 2 * 24), st.sampled_from([1.0, 3.5])), min_size=2, max_size=8)


def window_of(allow: str, deny: str) -> Window:
    return Window(tuple(filter(None, [parse_allow(allow)])), tuple(filter(None, [parse_deny(deny)])), "UTC")


def looked_at_anew(window: Window, need_s: float, wall: float) -> ClosedUntil | None:
    opening = next_opening(window, wall, need_s)
    if opening is None:
        return ClosedUntil(math.inf)
    return ClosedUntil(opening.start) if opening.start > wall else None


@pytest.mark.parametrize("rules", [EVERY_NIGHT, TWO_NIGHTS])
@given(looks=looks)
@example(looks=[(1, 3.5), (4, 3.5), (4, 1.0)])  # open still, and not for long enough
@example(looks=[(26, 3.5), (26, 1.0), (26, 3.5)])  # none is long enough, and one is for less
def test_what_was_found_before_a_clock_was_set_does_not_count_after(
    rules: tuple[str, str], looks: Sequence[tuple[int, float]]
) -> None:
    window, seen = window_of(*rules), OpeningsSeen()
    for hour, need_h in looks:
        wall, need_s = hour * HOUR, need_h * HOUR
        assert seen.closed(window, need_s, wall) == looked_at_anew(window, need_s, wall)
