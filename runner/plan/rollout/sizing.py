"""How the servers of a wave entry are cut into waves."""

from __future__ import annotations

from bisect import bisect_right
from decimal import Context, Decimal
from itertools import accumulate
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from runner.spec.rollout.sizes import EXPECTED_SIZE, Adaptive, Percent, Ramp, Rest, Size, Sizes, parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = [
    "EXPECTED_SIZE",
    "Adaptive",
    "Cut",
    "Percent",
    "Ramp",
    "Rest",
    "Size",
    "Sizes",
    "SizesError",
    "cut",
    "parse_size",
]

# Growth is reckoned in decimals, as factors are written: 100 * 1.1 is 110, which binary fractions round up to 111.
_DECIMALS = Context(prec=40)


class SizesError(ValueError):
    """The sizes leave servers over."""


class Cut(NamedTuple):
    """A wave: which of the units, and which of the servers, where those of each unit follow those of the one before."""

    units: slice
    servers: slice


def cut(lengths: Iterable[int], sizes: Sizes) -> list[Cut]:
    """The waves, in order, none of them empty, of whole units. `lengths` are how many servers each unit has.

    A wave takes units as long as it stays within its size, and at least one.

    Raises:
        SizesError: servers are left over that no size covers.
    """
    ends = [0, *accumulate(lengths)]  # by how many units are taken, how many servers these have
    total = ends[-1]
    waves: list[Cut] = []
    first = 0
    for size_of in _sizes(sizes, total):
        taken = ends[first]
        if taken == total:
            break
        stop = max(first + 1, bisect_right(ends, taken + size_of(total - taken)) - 1)
        waves.append(Cut(slice(first, stop), slice(taken, ends[stop])))
        first = stop
    if ends[first] < total:
        raise SizesError(f"sizes cover {ends[first]:,} of {total:,} servers; end with `rest`")
    return waves


def _sizes(sizes: Sizes, total: int) -> Iterable[Callable[[int], int]]:
    """For each wave, its size in servers by how many are left."""
    if isinstance(sizes, Adaptive):
        return [_everything]
    if isinstance(sizes, Ramp):
        return map(_fixed, _ramp(sizes, total))
    return map(_given, sizes)


def _given(size: Size) -> Callable[[int], int]:
    if isinstance(size, Rest):
        return _everything
    return size.of if isinstance(size, Percent) else _fixed(size)


def _fixed(size: int) -> Callable[[int], int]:
    return lambda _: size


def _everything(left: int) -> int:
    return left


def _ramp(ramp: Ramp, total: int) -> Iterator[int]:
    """Sizes without end, at least 1."""
    most = ramp.most.of(total) if isinstance(ramp.most, Percent) else ramp.most or total
    factor = Decimal(str(ramp.factor))
    size = Decimal(ramp.first)
    while True:
        size = min(size, Decimal(most))
        yield ceil(size)
        size = _DECIMALS.multiply(size, factor)
