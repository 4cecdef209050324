"""How the servers of a wave entry are cut into waves."""

from __future__ import annotations

from decimal import Context, Decimal
from math import ceil
from typing import TYPE_CHECKING

from runner.spec.rollout.sizes import EXPECTED_SIZE, Adaptive, Percent, Ramp, Rest, Size, Sizes, parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from runner.plan.rollout.ordering import Unit

__all__ = [
    "EXPECTED_SIZE",
    "Adaptive",
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


def cut(units: Sequence[Unit], sizes: Sizes) -> list[list[Unit]]:
    """The waves, in order, none of them empty, of whole units.

    A wave takes units as long as it stays within its size, and at least one.

    Raises:
        SizesError: servers are left over that no size covers.
    """
    total = sum(map(len, units))
    waves: list[list[Unit]] = []
    start, left = 0, total
    for size_of in _sizes(sizes, total):
        if not left:
            break
        stop, taken = _fill(units, start, size_of(left))
        waves.append(list(units[start:stop]))
        start, left = stop, left - taken
    if left:
        raise SizesError(f"sizes cover {total - left:,} of {total:,} servers; end with `rest`")
    return waves


def _fill(units: Sequence[Unit], start: int, size: int) -> tuple[int, int]:
    """Where the wave that begins at `start` stops, and how many servers it has."""
    taken = len(units[start])
    stop = start + 1
    while stop < len(units) and taken + len(units[stop]) <= size:
        taken += len(units[stop])
        stop += 1
    return stop, taken


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
