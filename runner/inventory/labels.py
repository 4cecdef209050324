"""What the values of a row come to: names, and labels, which are text."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runner.model import Json, JsonObject


def usable_names(ids: Sequence[Json], names: Sequence[Json]) -> Sequence[str] | None:
    """The names of servers: the id, where there is none; None if some are no text, or an id is not."""
    if not set(map(type, ids)) <= {str}:
        return None
    if set(map(type, names)) <= {str} and all(names):
        return names
    names = [name or server_id for name, server_id in zip(names, ids, strict=True)]
    return names if set(map(type, names)) <= {str} else None


def columns_of_rows(rows: Sequence[Json]) -> dict[str, Sequence[Json]] | None:
    """The values of rows by name, where all have the same names in the same order, an `id` and no `labels` among them."""
    if set(map(type, rows)) != {dict}:
        return None
    names = list(rows[0])
    if "id" not in names or "labels" in names or list(chain.from_iterable(rows)) != names * len(rows):
        return None
    return dict(zip(names, zip(*map(dict.values, rows), strict=True), strict=True))


def flatten_all(rows: Iterable[JsonObject]) -> bool:
    """Put what is in `labels` beside it; False where that is no mapping, or has what stands beside it."""
    for row in rows:
        nested = row.pop("labels", None)
        if type(nested) is dict and row.keys().isdisjoint(nested):
            row.update(nested)
        elif nested is not None:
            return False
    return True


def as_texts(values: tuple[Json, ...]) -> tuple[str | None, ...] | None:
    """The values of a row as labels are; None where one is nested, or a number that may have been written otherwise."""
    if not {str, int, bool, type(None)}.issuperset(map(type, values)) or 0 in map(_if_whole, values):
        return None
    return tuple(map(_text, values))


def _if_whole(value: Json) -> Json:
    return value if type(value) is int else None


def _text(value: Json) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def flattened(name: str, value: Json) -> Iterator[tuple[str, str]]:
    """The labels that a value comes to: nested values get their names joined by dots. Nothing, or empty text, is none.

    Of a list its places count from 0, but for a list of tags as clouds have it: `[{"key": K, "value": V}]` is `name.K`.
    """
    left = [(name, value)]
    while left:
        name, value = left.pop()
        if isinstance(value, dict):
            left += [(f"{name}.{key}", item) for key, item in reversed(value.items())]
        elif isinstance(value, list):
            left += [(f"{name}.{key}", item) for key, item in reversed(_named(value))]
        elif text := _text(value):
            yield name, text


def _named(values: list[Json]) -> list[tuple[object, Json]]:
    if all(
        isinstance(item, dict) and item.keys() == {"key", "value"} and isinstance(item["key"], str) for item in values
    ):
        return [(item["key"], item["value"]) for item in values]
    return list(enumerate(values))
