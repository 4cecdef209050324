"""Which label explains why servers are bad: where more of them are than chance would have it, after all that was asked.

Every value of every label is held against every cluster of bad servers. A value that one server has, or all have, is not
asked about; nor is one that could never be told from chance (Tarone 1990, "A modified Bonferroni method for discrete data";
Gilbert 2005, for false discoveries): that depends on how many servers there are, not on which are bad. Of values that
explain a cluster the likeliest is taken first. Another one is told beside it only if it explains what is left.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from runner.rules.fisher import Difference, Table, adjusted, chance_of, difference, least_chance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LEVEL = 0.01
"""The rate of false explanations that is taken: a fifth of what is promised, for a run is looked at more than once."""
_FEWEST = 2
_MOST_TRIED = 12


class Explanation(NamedTuple):
    """A label's value of which more servers are bad than of the others. `rate` is that of false discoveries.

    `same` are other labels, with their values, that stand for the very same servers.
    """

    label: str
    value: str
    table: Table
    difference: Difference
    rate: float
    same: tuple[tuple[str, str], ...] = ()


class _Kind(NamedTuple):
    cluster: int
    label: str
    value: str
    table: Table


def explain(columns: Mapping[str, Sequence[str | None]], clusters: Sequence[Sequence[int]]) -> list[list[Explanation]]:
    """For each cluster what explains it, the likeliest first; nothing where nothing does.

    `columns` are labels with the value of each server, `clusters` the places of the servers that are bad in the same way.
    """
    kinds, asked = _kinds(columns, clusters)
    chances = [chance_of(kind.table) for kind in kinds]
    rates = adjusted(chances, asked)
    found = sorted(
        zip(chances, rates, kinds, strict=True), key=lambda one: (one[0], one[2].table.servers, one[2].label)
    )
    by_cluster: list[list[tuple[float, _Kind]]] = [[] for _ in clusters]
    for _, rate, kind in found:
        if rate <= LEVEL and len(by_cluster[kind.cluster]) < _MOST_TRIED:
            by_cluster[kind.cluster].append((rate, kind))
    return [_told(columns, clusters[place], likely) for place, likely in enumerate(by_cluster)]


def _kinds(columns: Mapping[str, Sequence[str | None]], clusters: Sequence[Sequence[int]]) -> tuple[list[_Kind], int]:
    """What may explain a cluster, and how many questions there are in all: also those whose answer is no at once."""
    kinds: list[_Kind] = []
    asked = 0
    for label, column in columns.items():
        sizes = Counter(value for value in column if value is not None)
        how_many = Counter(sizes.values())
        for cluster, bad in enumerate(clusters):
            askable = {size for size in how_many if _is_askable(size, len(bad), len(column))}
            asked += sum(how_many[size] for size in askable)
            hits = Counter(column[place] for place in bad)
            for value, count in hits.items():
                if value is not None and sizes[value] in askable:
                    kinds.append(_Kind(cluster, label, value, Table(count, sizes[value], len(bad), len(column))))
    return kinds, asked


def _is_askable(servers: int, all_bad: int, all_servers: int) -> bool:
    return _FEWEST <= servers < all_servers and least_chance(servers, all_bad, all_servers) <= LEVEL


def _told(
    columns: Mapping[str, Sequence[str | None]], bad: Sequence[int], likely: Sequence[tuple[float, _Kind]]
) -> list[Explanation]:
    told: list[Explanation] = []
    members: list[frozenset[int]] = []
    covered: set[int] = set()
    for rate, kind in likely:
        mine = frozenset(place for place, value in enumerate(columns[kind.label]) if value == kind.value)
        if mine in members:
            same = members.index(mine)
            told[same] = told[same]._replace(same=(*told[same].same, (kind.label, kind.value)))
        elif not told or _explains_more(mine, bad, covered, kind.table.all_servers, len(likely)):
            told.append(Explanation(kind.label, kind.value, kind.table, difference(kind.table), rate))
            members.append(mine)
            covered |= mine
    return told


def _explains_more(mine: frozenset[int], bad: Sequence[int], covered: set[int], all_servers: int, tried: int) -> bool:
    """Whether it explains something of the servers that nothing else does."""
    left = [place for place in bad if place not in covered]
    servers = len(mine - covered)
    table = Table(sum(place in mine for place in left), servers, len(left), all_servers - len(covered))
    return 0 < servers < table.all_servers and chance_of(table) <= LEVEL / tried
