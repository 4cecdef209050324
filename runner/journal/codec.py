"""Events as JSON. orjson writes dataclasses by itself; each kind is built back by its own rule.

What only a report needs is kept apart as details: it is most of a journal's bytes, and a run is resumed without it.
"""

from __future__ import annotations

import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import orjson

from runner.errors import StateFolderError
from runner.model import Job, Json, RunState, Task
from runner.rules.answers import Cause, ReadFailures, ServiceError
from runner.run.events import Event, JobRead, RunEnded

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

_TYPES: dict[str, type[Event]] = {kind.kind: kind for kind in get_args(Event)}
_DETAILS = frozenset({JobRead.kind})


class Batch(NamedTuple):
    """Events that are kept together.

    `events` is a JSON list of {"kind", "data"} in their order. Kinds that only a report needs stand there without data;
    that is in `details`, a JSON list in the same order, empty text if there are none.
    """

    events: bytes
    details: bytes


def encode_batch(events: Sequence[Event]) -> Batch:
    """Events as JSON.

    Raises:
        ValueError: an event holds NaN or an infinity, which JSON cannot carry.
    """
    for event in events:
        if not math.isfinite(event.at):
            raise ValueError(f"{event.kind}: at is {event.at}")
    details = [event for event in events if event.kind in _DETAILS]
    entries = [
        {"kind": event.kind} if event.kind in _DETAILS else {"kind": event.kind, "data": event} for event in events
    ]
    return Batch(orjson.dumps(entries), orjson.dumps(details) if details else b"")


def needs_details(kinds: Collection[str] | None = None, without: Collection[str] = ()) -> bool:
    """Whether details are needed to decode those of `kinds` (None: all) and none of `without`."""
    return any(kind not in without and (kinds is None or kind in kinds) for kind in _DETAILS)


def decode_batch(
    events: str | bytes, details: str | bytes, kinds: Collection[str] | None = None, without: Collection[str] = ()
) -> Iterator[Event]:
    """The events of a batch: only those of `kinds` (None: all), and none of `without`.

    Raises:
        StateFolderError: it is not what this version writes.
    """
    try:
        apart = iter(orjson.loads(details) if details else ())
        for entry in orjson.loads(events):
            kind = entry["kind"]
            # Versions before 4 kept all data here.
            data = entry["data"] if "data" in entry else next(apart, None)
            if kind not in without and (kinds is None or kind in kinds):
                yield _decode(kind, data)
    except (KeyError, TypeError, ValueError) as error:
        raise StateFolderError(
            f"the journal has events that this version cannot read: {error!r}",
            hint="it was written by another version of runner, or it is damaged",
        ) from error


def state_at_end(events: str | bytes) -> RunState | None:
    """How the last of these events says that the run ended; None where it does not, or cannot be read."""
    try:
        last = orjson.loads(events)[-1]
        return RunState(last["data"]["state"]) if last["kind"] == RunEnded.kind else None
    except (LookupError, TypeError, ValueError):
        return None


def _decode(kind: str, values: Json) -> Event:
    for name, build in _BUILDERS[kind]:
        if name not in _MAY_BE_MISSING or values.get(name) is not None:
            values[name] = build(values[name])
    return _TYPES[kind](**values)


def _job(values: dict[str, Any]) -> Job:
    values["tasks"] = tuple(Task(**task) for task in values["tasks"])
    return Job(**values)


def _error(values: dict[str, Any]) -> ServiceError:
    return ServiceError(**values)


def _failures(values: dict[str, Any]) -> ReadFailures:
    values["error"] = _error(values["error"])
    return ReadFailures(**values)


_MAY_BE_MISSING = frozenset({"failures"})

_BY_FIELD: dict[str, Callable[[Any], Any]] = {
    "job": _job,
    "error": _error,
    "cause": Cause,
    "job_ids": tuple,
    "servers": tuple,
    "failures": _failures,
}
_BUILDERS: dict[str, list[tuple[str, Callable[[Any], Any]]]] = {
    kind: [(field.name, _BY_FIELD[field.name]) for field in fields(event_type) if field.name in _BY_FIELD]
    for kind, event_type in _TYPES.items()
}
