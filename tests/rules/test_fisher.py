"""The test is exact: held against whole numbers; and what is told of how much more holds what is so."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.rules.fisher import Table, adjusted, chance_of, difference, least_chance


@st.composite
def tables(draw: st.DrawFn) -> Table:
    everyone = draw(st.integers(2, 300))
    servers, bad = draw(st.integers(1, everyone - 1)), draw(st.integers(0, everyone))
    most = min(servers, bad)
    return Table(draw(st.integers(max(0, servers + bad - everyone), most)), servers, bad, everyone)


def exactly(table: Table) -> float:
    bad, servers, all_bad, everyone = table
    ways = (
        math.comb(servers, k) * math.comb(everyone - servers, all_bad - k)
        for k in range(bad, min(servers, all_bad) + 1)
    )
    return sum(ways) / math.comb(everyone, all_bad)


@given(tables())
def test_the_chance_is_that_of_whole_numbers(table: Table) -> None:
    assert chance_of(table) == pytest.approx(exactly(table), rel=1e-9, abs=1e-12)


def test_the_tea_of_a_lady() -> None:
    assert chance_of(Table(4, 4, 4, 8)) == pytest.approx(1 / 70)
    assert chance_of(Table(3, 4, 4, 8)) == pytest.approx(17 / 70)


@given(tables())
def test_no_table_of_these_sizes_has_a_smaller_chance_than_the_least(table: Table) -> None:
    assert chance_of(table) >= least_chance(table.servers, table.all_bad, table.all_servers) * (1 - 1e-9)


def test_a_fleet_of_a_million_is_counted_at_once() -> None:
    assert chance_of(Table(40, 1000, 20_000, 1_000_000)) == pytest.approx(3.7e-5, rel=0.5)
    assert chance_of(Table(20, 1000, 20_000, 1_000_000)) == pytest.approx(0.53, abs=0.02)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 50))
def test_rates_keep_the_order_and_are_those_of_the_procedure(chances: list[float], more: int) -> None:
    asked = len(chances) + more
    rates = adjusted(chances, asked)
    for level in (0.01, 0.05, 0.2):
        ranked = sorted(chances)
        most = max((place for place, chance in enumerate(ranked, 1) if chance * asked / place <= level), default=0)
        assert sum(rate <= level for rate in rates) == most
    assert all(chance <= rate + 1e-15 for chance, rate in zip(chances, rates, strict=True))


@given(tables())
def test_the_interval_holds_the_difference(table: Table) -> None:
    found = difference(table)
    assert -1 - 1e-9 <= found.low <= found.share + 1e-12
    assert found.share - 1e-12 <= found.high <= 1 + 1e-9


def test_the_interval_is_that_of_the_literature() -> None:
    """Newcombe 1998, table II: 56 of 70 against 48 of 80, method 10."""
    found = difference(Table(56, 70, 104, 150))
    assert (round(found.share, 4), round(found.low, 4), round(found.high, 4)) == (0.2, 0.0524, 0.3339)
