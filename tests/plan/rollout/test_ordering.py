"""Which servers stay together, and how evenly every beginning of a wave entry is spread."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.plan.rollout.ordering import MOST_COMBINATIONS, StrataError, Unit, shuffled, stratified, units_of

fleets = st.integers(0, 40)
some_values = st.sampled_from(["a", "b", "c", "d", "e", "", None])


def columns(count: int, most: int = 3, least: int = 0) -> st.SearchStrategy[list[list[str | None]]]:
    column = st.lists(some_values, min_size=count, max_size=count)
    return st.lists(column, min_size=least, max_size=most)


def groups_by_flooding(values: list[list[str | None]], count: int) -> list[Unit]:
    """Units by the plainest means: spread from server to server."""
    units, seen = [], set[int]()
    for server in range(count):
        unit = {server}
        while True:
            more = {
                other
                for other in range(count)
                if any(column[other] and column[other] in {column[member] for member in unit} for column in values)
            }
            if more <= unit:
                break
            unit |= more
        if server not in seen:
            units.append(tuple(sorted(unit)))
        seen |= unit
    return units


@given(fleets.flatmap(lambda count: st.tuples(st.just(count), columns(count))))
def test_servers_that_share_a_value_stay_together_and_so_do_those_that_they_join(
    fleet: tuple[int, list[list[str | None]]],
) -> None:
    count, values = fleet
    assert units_of(values, count) == groups_by_flooding(values, count)


def test_a_chain_of_two_expressions_is_one_unit() -> None:
    assert units_of([["x", "x", "y", "y", None], [None, "p", "p", "", ""]], 5) == [(0, 1, 2, 3), (4,)]


def by_the_definition(units: list[Unit], strata: list[list[str | None]]) -> list[Unit]:
    """The order by looking at everything for every choice."""
    left: dict[tuple[str | None, ...], list[Unit]] = {}
    for unit in units:
        left.setdefault(tuple(stratum[unit[0]] for stratum in strata), []).append(unit)
    place = {combination: index for index, combination in enumerate(left)}
    counts: list[Counter[str | None]] = [Counter() for _ in strata]
    taken: list[Unit] = []
    while any(left.values()):
        now = {combination for combination, rest in left.items() if rest}
        while now:
            best = min(now, key=lambda c: (*(count[v] for count, v in zip(counts, c, strict=True)), place[c]))
            now.remove(best)
            taken.append(left[best].pop(0))
            for count, value in zip(counts, best, strict=True):
                count[value] += 1
    return taken


@given(fleets.flatmap(lambda count: st.tuples(columns(count, most=2), columns(count, least=1))))
def test_stratified_is_what_its_definition_says(
    drawn: tuple[list[list[str | None]], list[list[str | None]]],
) -> None:
    whole, strata = drawn
    units = units_of(whole, len(strata[0]))
    assert in_strata(units, strata) == by_the_definition(units, strata)


def in_strata(units: list[Unit], strata: list[list[str | None]]) -> list[Unit]:
    return [
        units[place] for place in stratified([[stratum[unit[0]] for unit in units] for stratum in strata], len(units))
    ]


@given(st.lists(st.lists(st.integers(1, 60), min_size=1, max_size=6), min_size=1, max_size=6))
def test_strata_that_are_uneven_for_many_rounds_are_balanced_as_their_definition_says(sizes: list[list[int]]) -> None:
    fleet = [(f"z{z}", f"m{m}") for z, models in enumerate(sizes) for m, size in enumerate(models) for _ in range(size)]
    strata: list[list[str | None]] = [list(column) for column in zip(*fleet, strict=True)]
    units: list[Unit] = [(server,) for server in range(len(fleet))]
    assert in_strata(units, strata) == by_the_definition(units, strata)
    for column in strata:  # one alone, and one that tells every combination apart
        assert in_strata(units, [column]) == by_the_definition(units, [column])
        both = [f"{zone} {model}" for zone, model in fleet]
        assert in_strata(units, [column, [*both]]) == by_the_definition(units, [column, [*both]])


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 4))
def test_every_beginning_has_all_values_alike_where_the_fleet_has(zones: int, models: int, each: int) -> None:
    fleet = [(zone, model) for zone in range(zones) for model in range(models) for _ in range(each)]
    order = stratified([[zone for zone, _ in fleet], [model for _, model in fleet]], len(fleet))
    counts = Counter(dict.fromkeys(range(zones), 0))
    for server in order:
        counts[fleet[server][0]] += 1
        assert max(counts.values()) - min(counts.values()) <= 1
    for start in range(0, len(order), zones * models):
        assert len({fleet[server] for server in order[start : start + zones * models]}) == zones * models


def test_without_strata_the_order_stays() -> None:
    assert list(stratified([], 3)) == [0, 1, 2]
    assert stratified([[]], 0) == []


def test_strata_that_tell_every_server_apart_are_refused() -> None:
    count = MOST_COMBINATIONS + 1
    with pytest.raises(StrataError, match="32,769 different combinations"):
        stratified([list(range(count))], count)


@given(st.lists(st.text(max_size=5), unique=True, max_size=20), st.text(max_size=5))
def test_a_shuffle_depends_on_the_seed_and_on_ids_alone(ids: list[str], seed: str) -> None:
    order = shuffled(ids, seed)
    names = [ids[server] for server in order]
    assert names == sorted(ids, key=lambda name: sha256(f"{seed}:{name}".encode()).hexdigest())
    backwards = ids[::-1]
    again = shuffled(backwards, seed)
    assert [backwards[server] for server in again] == names


def test_another_seed_is_another_order() -> None:
    ids = [f"id-{index}" for index in range(50)]
    assert shuffled(ids, "1") != shuffled(ids, "2") != list(range(50))
