"""How servers are cut into requests: as full as they may be, in their order, and what goes together stays together."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model import Server
from runner.plan.batching import Cap, batch_sizes


def servers(racks: str) -> list[Server]:
    return [Server(f"s{place}", f"n{place}", {"rack": rack}) for place, rack in enumerate(racks)]


def units(*sizes: int) -> list[list[Server]]:
    """Units of so many servers each, all in one rack."""
    every = iter(servers("a" * sum(sizes)))
    return [[next(every) for _ in range(size)] for size in sizes]


def cap(**most: int) -> Cap:
    return Cap(lambda server: server.labels["rack"], most)


@pytest.mark.parametrize(
    ("parts", "most", "sizes"),
    [
        (units(1, 1, 1, 1, 1), 2, [2, 2, 1]),
        (units(2, 2, 2), 4, [4, 2]),
        (units(2, 2, 2), 5, [4, 2]),
        (units(2, 2, 2), 6, [6]),
        (units(3, 1, 2, 4), 4, [4, 2, 4]),
        (units(5, 1), 4, [5, 1]),  # it goes alone, and that is said elsewhere
        (units(), 4, []),
    ],
)
def test_requests_are_as_full_as_units_allow(parts: list[list[Server]], most: int, sizes: list[int]) -> None:
    assert batch_sizes(parts, most, []) == sizes
    assert batch_sizes(parts, most, [cap(a=99)]) == sizes


@pytest.mark.parametrize(
    ("racks", "caps", "sizes"),
    [
        ("aaaa", [cap(a=2)], [2, 2]),
        ("abab", [cap(a=1, b=1)], [2, 2]),
        ("abab", [cap(a=1)], [2, 2]),
        ("aabb", [cap(a=1)], [1, 3]),
        ("bbbb", [cap(a=1)], [4]),
        ("aaaa", [cap(a=3), cap(a=2)], [2, 2]),
    ],
)
def test_and_as_limits_allow(racks: str, caps: list[Cap], sizes: list[int]) -> None:
    assert batch_sizes([[server] for server in servers(racks)], 4, caps) == sizes


@given(st.lists(st.text("abc", min_size=1, max_size=3), max_size=12), st.integers(3, 6), st.integers(3, 4))
def test_no_server_is_lost_no_limit_is_passed_and_the_next_unit_would_not_have_fitted(
    racks: list[str], most: int, of_a: int
) -> None:
    parts = [servers(each) for each in racks]
    sizes = batch_sizes(parts, most, [cap(a=of_a)])
    assert sum(sizes) == sum(map(len, parts))
    every = iter(parts)
    batches, part = [], next(every, None)
    for size in sizes:
        batch: list[list[Server]] = []
        while part is not None and sum(map(len, batch)) < size:
            batch.append(part)
            part = next(every, None)
        batches.append(batch)
        assert sum(map(len, batch)) == size
        assert fits(batch, most, of_a)
    for batch, following in pairwise(batches):
        assert not fits([*batch, following[0]], most, of_a)


def fits(batch: list[list[Server]], most: int, of_a: int) -> bool:
    there = [server.labels["rack"] for unit in batch for server in unit]
    return len(there) <= most and there.count("a") <= of_a
