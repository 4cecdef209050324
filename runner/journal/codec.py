"""Events as JSON. orjson writes dataclasses by itself; each kind is built back by its own rule."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_args

import orjson

from runner.campaign.answers import Cause, ServiceError
from runner.campaign.events import Event
from runner.errors import StateFolderError
from runner.model import Job, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

_TYPES: dict[str, type[Event]] = {kind.kind: kind for kind in get_args(Event)}


def encode_batch(events: Sequence[Event]) -> bytes:
    """A JSON list of {"kind", "data"}, in the order of the events.

    Raises:
        ValueError: an event holds NaN or an infinity, which JSON cannot carry.
    """
    for event in events:
        if not math.isfinite(event.at):
            raise ValueError(f"{event.kind}: at is {event.at}")
    return orjson.dumps([{"kind": event.kind, "data": event} for event in events])


def decode_batch(
    text: str | bytes, kinds: Collection[str] | None = None, without: Collection[str] = ()
) -> Iterator[Event]:
    """The events of a JSON list: only those of `kinds` (None: all), and none of `without`.

    Raises:
        StateFolderError: it is not what this version writes.
    """
    try:
        for entry in orjson.loads(text):
            kind = entry["kind"]
            if kind not in without and (kinds is None or kind in kinds):
                yield _decode(kind, entry["data"])
    except (KeyError, TypeError, ValueError) as error:
        raise StateFolderError(
            f"the journal has events that this version cannot read: {error!r}",
            hint="it was written by another version of runner, or it is damaged",
        ) from error


def _decode(kind: str, values: dict[str, Any]) -> Event:
    for name, build in _BUILDERS[kind]:
        values[name] = build(values[name])
    return _TYPES[kind](**values)


def _job(values: dict[str, Any]) -> Job:
    values["tasks"] = tuple(Task(**task) for task in values["tasks"])
    return Job(**values)


def _error(values: dict[str, Any]) -> ServiceError:
    return ServiceError(**values)


_BY_FIELD: dict[str, Callable[[Any], Any]] = {"job": _job, "error": _error, "cause": Cause, "job_ids": tuple}
_BUILDERS: dict[str, list[tuple[str, Callable[[Any], Any]]]] = {
    kind: [(field.name, _BY_FIELD[field.name]) for field in fields(event_type) if field.name in _BY_FIELD]
    for kind, event_type in _TYPES.items()
}
