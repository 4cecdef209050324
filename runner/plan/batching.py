"""The servers of a wave and group into requests: consecutive slices that fit every limit while nothing else is in flight."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Cap(NamedTuple):
    """At most so many servers of one value in one request; servers without a value, or not in `most`, do not count.

    `values` are those of the servers, in order. No limit is 0: such are refused before.
    """

    values: Sequence[str | None]
    most: Mapping[str, int]

    def fitting(self, start: int, size: int) -> int:
        """How many of the `size` servers from `start` on fit together, at least one."""
        values, most = self
        counts: dict[str | None, int] = {}
        for place in range(start, start + size):
            value = values[place]
            used = counts.get(value, 0)
            if used and value is not None and used == most.get(value):  # mostly nothing comes again
                return place - start
            counts[value] = used + 1
        return size


def batch_sizes(lengths: Sequence[int], most: int, caps: Sequence[Cap]) -> list[int]:
    """How many servers go in each request, in order; `lengths` are those of units that are never parted.

    A unit that fits no limit goes alone: that is said elsewhere.
    """
    # A request of so many servers has no more of any value.
    caps = [cap for cap in caps if min(cap.most.values(), default=most) < most]
    if max(lengths, default=1) > 1:
        return _sizes_of_units(lengths, most, caps)
    if not caps:
        full, rest = divmod(len(lengths), most)
        return [most] * full + ([rest] if rest else [])
    sizes: list[int] = []
    start, count = 0, len(lengths)
    while start < count:
        size = min(most, count - start)
        for cap in caps:
            size = cap.fitting(start, size)
        sizes.append(size)
        start += size
    return sizes


def _sizes_of_units(lengths: Sequence[int], most: int, caps: Sequence[Cap]) -> list[int]:
    sizes: list[int] = []
    start, size, used = 0, 0, [dict[str, int]() for _ in caps]
    for length in lengths:
        needs = [_counts(cap, start, start + length) for cap in caps]
        if size and (size + length > most or not _fits(caps, used, needs)):
            sizes.append(size)
            size, used = 0, [{} for _ in caps]
        size += length
        start += length
        for counts, need in zip(used, needs, strict=True):
            for value, count in need.items():
                counts[value] = counts.get(value, 0) + count
    return [*sizes, size] if size else sizes


def _counts(cap: Cap, start: int, stop: int) -> dict[str, int]:
    counts: dict[str, int] = {}
    for value in cap.values[start:stop]:
        if value is not None and value in cap.most:
            counts[value] = counts.get(value, 0) + 1
    return counts


def _fits(caps: Sequence[Cap], used: Sequence[Mapping[str, int]], needs: Sequence[Mapping[str, int]]) -> bool:
    return all(
        counts.get(value, 0) + count <= cap.most[value]
        for cap, counts, need in zip(caps, used, needs, strict=True)
        for value, count in need.items()
    )
