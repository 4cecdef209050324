"""In which order the servers of a wave entry are taken: what must stay together, spread evenly, or shuffled.

Servers are known by their index into one sequence; so everything here is about whole numbers, and a million of them.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Unit: TypeAlias = tuple[int, ...]
"""Indices of servers that must stay together, ascending; mostly single ones."""

MOST_COMBINATIONS = 32_768
_Combination: TypeAlias = tuple[object, ...]


class StrataError(ValueError):
    """The strata tell servers apart so finely that there is nothing to balance."""


def units_of(values: Sequence[Sequence[object]], count: int) -> list[Unit]:
    """The units of `count` servers, in order of their first server.

    `values[k][i]` is server i's value of "whole" expression k, hashable; servers that share a value of any of them are
    in one unit, and so are the units that they join. None and "" are shared with nobody.
    """
    parent = list(range(count))
    for column in values:
        first: dict[object, int] = {}
        for server, value in enumerate(column):
            if value is not None and value != "":
                other = first.setdefault(value, server)
                if other != server:
                    _join(parent, server, other)
    if not values:
        return [(server,) for server in parent]
    units: dict[int, list[int]] = {}
    for server in range(count):
        units.setdefault(_root(parent, server), []).append(server)
    return [tuple(unit) for unit in units.values()]


def _join(parent: list[int], one: int, other: int) -> None:
    one, other = _root(parent, one), _root(parent, other)
    parent[max(one, other)] = min(one, other)


def _root(parent: list[int], server: int) -> int:
    while parent[server] != server:
        parent[server] = parent[parent[server]]  # half the way for the next one
        server = parent[server]
    return server


def shuffled(units: Sequence[Unit], ids: Sequence[str], seed: str) -> list[Unit]:
    """The units in an order that depends on nothing but `seed` and each unit's first server, whose id is in `ids`."""
    return sorted(units, key=lambda unit: sha256(f"{seed}:{ids[unit[0]]}".encode()).digest())


def stratified(units: Sequence[Unit], strata: Sequence[Sequence[object]]) -> list[Unit]:
    """The units so that every beginning of the list looks as much like the whole as it can.

    `strata[k][i]` is server i's value of stratum k, hashable; a unit's value is its first server's. In each round every
    combination of values that has units left is taken once. Next comes the combination whose value of the first
    stratum was taken least often so far; of these the one least often taken in the second stratum, and so on; at last
    the one that appeared first. The units of one combination keep their order.

    Raises:
        StrataError: there are more than MOST_COMBINATIONS combinations.
    """
    if not strata:
        return list(units)
    members: dict[_Combination, list[Unit]] = {}
    columns = ([stratum[unit[0]] for unit in units] for stratum in strata)
    for unit, combination in zip(units, zip(*columns, strict=True), strict=True):
        members.setdefault(combination, []).append(unit)
    if len(members) > MOST_COMBINATIONS:
        raise StrataError(
            f"the strata have {len(members):,} different combinations of values, and at most {MOST_COMBINATIONS:,} "
            "can be balanced; use strata that more servers share"
        )
    return _balanced(members, len(strata))


def _balanced(members: Mapping[_Combination, Sequence[Unit]], strata: int) -> list[Unit]:
    """Round after round. Rounds between which no combination is exhausted share one table of bits."""
    taken: list[Unit] = []
    counts: list[Counter[object]] = [Counter() for _ in range(strata)]
    left, done = dict(members), 0
    while left:
        groups = list(left.values())
        coverages = [_Coverage(column, count) for column, count in zip(zip(*left, strict=True), counts, strict=True)]
        until = min(map(len, groups))
        for place in range(done, until):
            taken += [groups[combination][place] for combination in _round(coverages, len(groups))]
        left, done = {key: group for key, group in left.items() if len(group) > until}, until
    return taken


def _round(coverages: Sequence[_Coverage], size: int) -> Iterable[int]:
    """The places of all combinations, each once."""
    for coverage in coverages:
        coverage.open()
    left = (1 << size) - 1
    while left:
        best = left
        for coverage in coverages:
            best = coverage.least(best)
        bit = best & -best
        place = bit.bit_length() - 1
        for coverage in coverages:
            coverage.take(place, bit, left)
        left ^= bit
        yield place


class _Coverage:
    """How often each value of one stratum was taken, as sets of combinations.

    A set of combinations is a whole number, whose bit p stands for the combination at place p: a choice among
    thousands is then a few operations on machine words. A heap does not do: one choice changes the rank of every
    combination that shares a value with it, which may be half of all.
    """

    def __init__(self, values: Sequence[object], counts: Counter[object]) -> None:
        """`values` holds each combination's value, by place; `counts` is kept up to date."""
        self._values = values
        self._counts = counts
        self._having: dict[object, int] = {}
        self._levels: list[int] = []
        self._at_level: dict[int, int] = {}
        for place, value in enumerate(values):
            self._having[value] = self._having.get(value, 0) | 1 << place

    def open(self) -> None:
        """A round begins, of all combinations."""
        self._at_level.clear()
        for value, having in self._having.items():
            level = self._counts[value]
            self._at_level[level] = self._at_level.get(level, 0) | having
        self._levels = sorted(self._at_level)

    def least(self, among: int) -> int:
        """Those of `among`, which has some that are left, whose value was taken least often."""
        for level in self._levels:
            if found := among & self._at_level[level]:
                return found
        return among

    def take(self, place: int, bit: int, left: int) -> None:
        """Take the combination at `place`, whose bit is `bit`, of those that are `left`."""
        value = self._values[place]
        level = self._counts[value]
        self._counts[value] = level + 1
        moved = self._having[value] & left
        self._lower(level, moved)
        if moved != bit:
            self._raise(level + 1, moved ^ bit)

    def _lower(self, level: int, moved: int) -> None:
        stay = self._at_level[level] ^ moved
        if stay:
            self._at_level[level] = stay
        else:
            del self._at_level[level]
            del self._levels[bisect_left(self._levels, level)]

    def _raise(self, level: int, moved: int) -> None:
        there = self._at_level.get(level, 0)
        self._at_level[level] = there | moved
        if not there:
            insort(self._levels, level)
