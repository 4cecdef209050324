"""How servers are cut into requests: as full as they may be, in their order, and what goes together stays together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.plan.batching import Cap, batch_sizes

Units = Sequence[str]
"""Servers that are never parted, each as the letter of its rack."""


def sizes_of(units: Units, most: int, *limits: Mapping[str, int]) -> list[int]:
    racks = list("".join(units))
    return batch_sizes([len(unit) for unit in units], most, [Cap(racks, limit) for limit in limits])


@pytest.mark.parametrize(
    ("units", "most", "sizes"),
    [
        (["a"] * 5, 2, [2, 2, 1]),
        (["aa"] * 3, 4, [4, 2]),
        (["aa"] * 3, 5, [4, 2]),
        (["aa"] * 3, 6, [6]),
        (["aaa", "a", "aa", "aaaa"], 4, [4, 2, 4]),
        (["aaaaa", "a"], 4, [5, 1]),  # it goes alone, and that is said elsewhere
        ([], 4, []),
    ],
)
def test_requests_are_as_full_as_units_allow(units: Units, most: int, sizes: list[int]) -> None:
    assert sizes_of(units, most) == sizes
    assert sizes_of(units, most, {"a": 99}) == sizes


@pytest.mark.parametrize(
    ("racks", "limits", "sizes"),
    [
        ("aaaa", [{"a": 2}], [2, 2]),
        ("abab", [{"a": 1, "b": 1}], [2, 2]),
        ("abab", [{"a": 1}], [2, 2]),
        ("aabb", [{"a": 1}], [1, 3]),
        ("bbbb", [{"a": 1}], [4]),
        ("aaaa", [{"a": 3}, {"a": 2}], [2, 2]),
    ],
)
def test_and_as_limits_allow(racks: str, limits: list[dict[str, int]], sizes: list[int]) -> None:
    assert sizes_of(racks, 4, *limits) == sizes


@given(st.lists(st.text("abc", min_size=1, max_size=3), max_size=12), st.integers(3, 6), st.integers(3, 4))
def test_no_server_is_lost_no_limit_is_passed_and_the_next_unit_would_not_have_fitted(
    units: list[str], most: int, of_a: int
) -> None:
    sizes = sizes_of(units, most, {"a": of_a})
    assert sum(sizes) == sum(map(len, units))
    every = iter(units)
    requests, unit = [], next(every, None)
    for size in sizes:
        request: list[str] = []
        while unit is not None and sum(map(len, request)) < size:
            request.append(unit)
            unit = next(every, None)
        requests.append(request)
        assert sum(map(len, request)) == size
        assert fits(request, most, of_a)
    for request, following in pairwise(requests):
        assert not fits([*request, following[0]], most, of_a)


def fits(units: Units, most: int, of_a: int) -> bool:
    racks = "".join(units)
    return len(racks) <= most and racks.count("a") <= of_a
