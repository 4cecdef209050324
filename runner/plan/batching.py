"""The servers of a wave and group into requests: consecutive slices that fit every limit while nothing else is in flight."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runner.model import Server


class Cap(NamedTuple):
    """At most so many servers of one value in one request; servers without a value, or not in `most`, do not count."""

    value_of: Callable[[Server], str | None]
    most: Mapping[str, int]


def batch_sizes(units: Sequence[Sequence[Server]], most: int, caps: Sequence[Cap]) -> list[int]:
    """How many servers go in each request, in order. A unit that fits no limit goes alone: that is said elsewhere."""
    if not caps and all(len(unit) == 1 for unit in units):
        full, rest = divmod(len(units), most)
        return [most] * full + ([rest] if rest else [])
    sizes: list[int] = []
    size, used = 0, [dict[str, int]() for _ in caps]
    for unit in units:
        needs = [_counts(cap, unit) for cap in caps]
        if size and (size + len(unit) > most or not _fits(caps, used, needs)):
            sizes.append(size)
            size, used = 0, [{} for _ in caps]
        size += len(unit)
        for counts, need in zip(used, needs, strict=True):
            for value, count in need.items():
                counts[value] = counts.get(value, 0) + count
    return [*sizes, size] if size else sizes


def _counts(cap: Cap, unit: Sequence[Server]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for server in unit:
        value = cap.value_of(server)
        if value is not None and value in cap.most:
            counts[value] = counts.get(value, 0) + 1
    return counts


def _fits(caps: Sequence[Cap], used: Sequence[Mapping[str, int]], needs: Sequence[Mapping[str, int]]) -> bool:
    return all(
        counts.get(value, 0) + count <= cap.most[value]
        for cap, counts, need in zip(caps, used, needs, strict=True)
        for value, count in need.items()
    )
