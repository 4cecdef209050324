"""Whether more servers of a kind are bad than chance would have it: Fisher's exact test, and how much more.

The test (Fisher 1935, The Design of Experiments; Agresti, Categorical Data Analysis, 3.5) is exact for any number of
servers, also for few. Many are made at once: Benjamini and Hochberg 1995, "Controlling the False Discovery Rate", which also
holds for kinds that go together (Benjamini and Yekutieli 2001). How much more is a difference of two shares, with the
interval of Newcombe 1998, "Interval estimation for the difference between independent proportions" (method 10), from those
of Wilson 1927.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

# What is smaller beside what was added up so far changes no digit that is told.
_NOTHING = 1e-17
_Z = 1.959963984540054  # of 95 %


class Table(NamedTuple):
    """`bad` of `servers` that are of a kind, and `all_bad` of `all_servers`, with those."""

    bad: int
    servers: int
    all_bad: int
    all_servers: int


class Difference(NamedTuple):
    """How much larger the share of bad servers is in a kind than among the others; the interval is of 95 %."""

    share: float
    low: float
    high: float


def chance_of(table: Table) -> float:
    """The chance of so many bad servers of the kind, or more, if it does not matter which servers are bad."""
    bad, servers, all_bad, all_servers = table
    if bad <= max(0, servers + all_bad - all_servers):
        return 1.0
    if bad > servers * all_bad / all_servers:
        return min(1.0, _tail(table, 1))
    return min(1.0, max(0.0, 1.0 - _tail(table._replace(bad=bad - 1), -1)))


def least_chance(servers: int, all_bad: int, all_servers: int) -> float:
    """The smallest chance that can come of the test: with as many bad servers of the kind as there may be."""
    return chance_of(Table(min(servers, all_bad), servers, all_bad, all_servers))


def _tail(table: Table, step: int) -> float:
    """The chances of this many bad servers, and of all numbers farther away from the middle."""
    bad, servers, all_bad, all_servers = table
    term = total = math.exp(
        _log_choose(servers, bad)
        + _log_choose(all_servers - servers, all_bad - bad)
        - _log_choose(all_servers, all_bad)
    )
    good_outside = all_servers - servers - all_bad
    while term > total * _NOTHING:
        if step > 0:
            term *= (servers - bad) * (all_bad - bad) / ((bad + 1) * (good_outside + bad + 1))
        else:
            term *= bad * (good_outside + bad) / ((servers - bad + 1) * (all_bad - bad + 1))
        bad += step
        total += term
    return total


def _log_choose(of: int, chosen: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(chosen + 1) - math.lgamma(of - chosen + 1)


def adjusted(chances: Sequence[float], asked: int) -> list[float]:
    """For each chance the rate of false discoveries at which it is one; `asked` is how many tests there were in all.

    Those that are not given had a chance of 1.
    """
    order = sorted(range(len(chances)), key=chances.__getitem__, reverse=True)
    found, least = [1.0] * len(chances), 1.0
    for place, index in enumerate(order):
        least = min(least, chances[index] * asked / (len(chances) - place))
        found[index] = least
    return found


def difference(table: Table) -> Difference:
    """How much larger the share of the bad is, of the kind against all others; there must be some of both."""
    bad, servers, all_bad, all_servers = table
    share, low, high = _wilson(bad, servers)
    other, other_low, other_high = _wilson(all_bad - bad, all_servers - servers)
    return Difference(
        share - other,
        share - other - math.hypot(share - low, other_high - other),
        share - other + math.hypot(high - share, other - other_low),
    )


def _wilson(bad: int, servers: int) -> tuple[float, float, float]:
    share, square = bad / servers, _Z * _Z / servers
    middle = (share + square / 2) / (1 + square)
    half = _Z / (1 + square) * math.sqrt(share * (1 - share) / servers + square / (4 * servers))
    return share, max(0.0, middle - half), min(1.0, middle + half)
