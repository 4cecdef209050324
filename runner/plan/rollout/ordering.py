"""In which order the servers of a wave entry are taken: what must stay together, spread evenly, or shuffled.

Servers are known by their index into one sequence; so everything here is about whole numbers, and a million of them.
"""

from __future__ import annotations

import sys
from bisect import bisect_left, insort
from collections import Counter
from hashlib import sha256
from heapq import heapify, heappop, heapreplace
from itertools import chain, pairwise
from typing import TYPE_CHECKING, TypeAlias

from runner.servers import indices_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Unit: TypeAlias = tuple[int, ...]
"""Indices of servers that must stay together, ascending; mostly single ones."""

MOST_COMBINATIONS = 32_768


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


def shuffled(ids: Sequence[str], seed: str) -> list[int]:
    """The places of units in an order that depends on nothing but `seed` and the id of each unit's first server."""
    keys = [sha256(f"{seed}:{server_id}".encode()).digest() for server_id in ids]
    return sorted(range(len(ids)), key=keys.__getitem__)


def stratified(strata: Sequence[Sequence[object]], count: int) -> Sequence[int]:
    """The places of `count` units, so that every beginning of the list looks as much like the whole as it can.

    `strata[k][i]` is the value of stratum k of unit i, hashable. In each round every combination of values that has
    units left is taken once. Next comes the combination whose value of the first stratum was taken least often so far;
    of these the one least often taken in the second stratum, and so on; at last the one that appeared first. The units
    of one combination keep their order.

    Raises:
        StrataError: there are more than MOST_COMBINATIONS combinations.
    """
    if not strata:
        return range(count)
    members = indices_by(strata[0] if len(strata) == 1 else zip(*strata, strict=True))
    if len(members) > MOST_COMBINATIONS:
        raise StrataError(
            f"the strata have {len(members):,} different combinations of values, and at most {MOST_COMBINATIONS:,} "
            "can be balanced; use strata that more servers share"
        )
    columns = [list(members)] if len(strata) == 1 else list(zip(*members, strict=True))
    return _balanced(list(members.values()), [column for column in columns if _decides(column)])


def _decides(column: Sequence[object]) -> bool:
    """Whether a stratum tells any combinations apart.

    Where each combination has a value of its own, those that are left in a round were all taken equally often.
    """
    return 1 < len(set(column)) < len(column)


def _balanced(members: Sequence[Sequence[int]], strata: Sequence[Sequence[object]]) -> list[int]:
    """Round after round. `members` are the units of each combination, `strata` the values of each by stratum."""
    taken: list[int] = []
    counts: list[Counter[object]] = [Counter() for _ in strata]
    left, done = list(range(len(members))), 0
    while left:
        columns = [[column[combination] for combination in left] for column in strata]
        until = min(len(members[combination]) for combination in left)
        while done < until:
            order, rounds = _next_rounds(columns, counts, len(left), until - done)
            groups = [members[left[place]][done : done + rounds] for place in order]
            taken += chain.from_iterable(zip(*groups, strict=True))
            done += rounds
        left = [combination for combination in left if len(members[combination]) > until]
    return taken


def _next_rounds(
    columns: Sequence[Sequence[object]], counts: Sequence[Counter[object]], size: int, most: int
) -> tuple[Sequence[int], int]:
    """The order of the next round of `size` combinations, and for how many rounds it stays: at most `most`.

    `columns` are the values of the combinations by stratum. `counts` say how often each value was taken, and are kept up
    to date.
    """
    each = [Counter(column) for column in columns]
    alike = [_rounds_alike(count, of_round) for count, of_round in zip(counts, each, strict=True)]
    rounds = min([most, *(1 + more for more in alike)])
    if not columns:
        order: Sequence[int] = range(size)
    elif len(columns) == 1:
        order = _round_by_one(columns[0], counts[0])
    else:
        order = list(_round([_Coverage(*of_stratum) for of_stratum in zip(columns, counts, strict=True)], size))
    for count, of_round in zip(counts, each, strict=True):
        count.update({value: times * (rounds - 1) for value, times in of_round.items()})
    return order, rounds


def _rounds_alike(count: Mapping[object, int], each: Mapping[object, int]) -> int:
    """How many more rounds have the order of the next one, as far as a stratum decides.

    `count` is how often each value was taken, `each` how often it is taken in a round. The order follows from how far
    values are apart; of two that are further apart than a value is taken in a round, always the same one comes first.
    """
    most, alike = max(each.values()), sys.maxsize
    for low, high in pairwise(sorted(each, key=count.__getitem__)):
        apart, grows = count[high] - count[low], each[high] - each[low]
        if grows and apart <= most:
            return 0
        if grows < 0:
            alike = min(alike, (apart - most - 1) // -grows)
    return alike


def _round_by_one(column: Sequence[object], count: Counter[object]) -> list[int]:
    """The places of all combinations, each once, where one stratum decides: then only the value that was taken moves."""
    queues = {value: iter(places) for value, places in indices_by(column).items()}
    heap = [(count[value], next(queue), number, value) for number, (value, queue) in enumerate(queues.items())]
    heapify(heap)
    order: list[int] = []
    while heap:
        times, place, number, value = heap[0]
        order.append(place)
        count[value] = times + 1
        following = next(queues[value], None)
        if following is None:
            heappop(heap)
        else:
            heapreplace(heap, (times + 1, following, number, value))
    return order


def _round(coverages: Sequence[_Coverage], size: int) -> Iterable[int]:
    """The places of all combinations, each once."""
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
    combination that shares a value with it, which may be half of all. For one round.
    """

    def __init__(self, values: Sequence[object], counts: Counter[object]) -> None:
        """`values` holds each combination's value, by place; `counts` is kept up to date."""
        self._values = values
        self._counts = counts
        self._having: dict[object, int] = {}
        self._at_level: dict[int, int] = {}
        for place, value in enumerate(values):
            self._having[value] = self._having.get(value, 0) | 1 << place
        for value, having in self._having.items():
            level = counts[value]
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
