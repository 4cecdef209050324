"""Events as JSON. orjson writes dataclasses by itself; each kind is built back by its own rule.

What only a report needs is kept apart, as details and as tasks: it is most of a journal's bytes, and a run is resumed
without it.
"""

from __future__ import annotations

import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import orjson

from runner.errors import StateFolderError
from runner.journal.tasks import NOT_READABLE_HINT, StoredTasks, tasks_json
from runner.model import Job, Json, JsonObject, RunState, Task
from runner.rules.answers import Cause, ReadFailures, ServiceError
from runner.run.events import Accepted, Adopted, Event, JobRead, RunEnded

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

_TYPES: dict[str, type[Event]] = {kind.kind: kind for kind in get_args(Event)}
_DETAILS = frozenset({JobRead.kind})
_WITH_JOB = (Accepted, Adopted, JobRead)
_WITH_TASKS = frozenset(kind.kind for kind in _WITH_JOB)
_JOB_FIELDS = tuple(field.name for field in fields(Job))


class Batch(NamedTuple):
    """Events that are kept together.

    `events` is a JSON list of {"kind", "data"} in their order. Kinds that only a report needs stand there without data;
    that is in `details`, a JSON list in the same order, empty text if there are none. Of a job that has tasks either has
    their number; they are in `tasks`, as JSON for each such job, in the order of the events.
    """

    events: bytes
    details: bytes
    tasks: tuple[bytes, ...] = ()


def encode_batch(events: Sequence[Event]) -> Batch:
    """Events as JSON.

    Raises:
        ValueError: an event holds NaN or an infinity, which JSON cannot carry.
    """
    entries: list[JsonObject] = []
    details: list[Event | JsonObject] = []
    tasks: list[bytes] = []
    for event in events:
        if not math.isfinite(event.at):
            raise ValueError(f"{event.kind}: at is {event.at}")
        data: Event | JsonObject = event
        if isinstance(event, _WITH_JOB) and event.job.tasks:
            tasks.append(tasks_json(event.job.tasks))
            data = _without_tasks(event)
        if event.kind in _DETAILS:
            entries.append({"kind": event.kind})
            details.append(data)
        else:
            entries.append({"kind": event.kind, "data": data})
    return Batch(orjson.dumps(entries), orjson.dumps(details) if details else b"", tuple(tasks))


def _without_tasks(event: Accepted | Adopted | JobRead) -> JsonObject:
    job = {name: getattr(event.job, name) for name in _JOB_FIELDS}
    values = {field.name: getattr(event, field.name) for field in fields(event)}
    return {**values, "job": {**job, "tasks": len(event.job.tasks)}}


def needs_details(kinds: Collection[str] | None) -> bool:
    """Whether details, or tasks, are needed to decode those of `kinds`; None: all."""
    return kinds is None or not _WITH_TASKS.isdisjoint(kinds)


def decode_batch(
    events: str | bytes,
    details: str | bytes,
    tasks: Sequence[bytes] = (),
    kinds: Collection[str] | None = None,
    *,
    lean: bool = False,
) -> Iterator[Event]:
    """The events of a batch: only those of `kinds` (None: all). The lists of tasks may be compressed.

    `lean`: those that only a report needs are left out, and jobs are without their tasks; neither is looked at.

    Raises:
        StateFolderError: it is not what this version writes.
    """
    try:
        apart = iter(orjson.loads(details) if details and not lean else ())
        lists = iter(tasks)
        for entry in orjson.loads(events):
            kind = entry["kind"]
            is_apart = "data" not in entry
            if is_apart and lean:
                continue
            # Versions before 4 kept all data here.
            data: Any = next(apart, None) if is_apart else entry["data"]
            if kind in _WITH_TASKS:
                _put_tasks(data["job"], None if lean else lists)
            if (kinds is None or kind in kinds) and not (lean and kind in _DETAILS):
                yield _decode(kind, data)
    except (KeyError, TypeError, ValueError) as error:
        raise StateFolderError(
            f"the journal has events that this version cannot read: {error!r}", hint=NOT_READABLE_HINT
        ) from error


def _put_tasks(job: JsonObject, lists: Iterator[bytes] | None) -> None:
    """Give a job its tasks, for which it has their number; versions before 9 had them there. None: nobody asks for them."""
    told = job["tasks"]
    if isinstance(told, list):
        job["tasks"] = () if lists is None else tuple(Task(**task) for task in told)
    else:
        job["tasks"] = () if lists is None else StoredTasks(next(lists, b""), told)


def ending_of(events: str | bytes) -> RunEnded | None:
    """How the last of these events says that the run ended; None where it does not, or cannot be read."""
    try:
        last = orjson.loads(events)[-1]
        if last["kind"] != RunEnded.kind:
            return None
        ending = RunEnded(**last["data"])
        RunState(ending.state)
    except (LookupError, TypeError, ValueError):
        return None
    return ending


def _decode(kind: str, values: Json) -> Event:
    for name, build in _BUILDERS[kind]:
        if name not in _MAY_BE_MISSING or values.get(name) is not None:
            values[name] = build(values[name])
    return _TYPES[kind](**values)


def _job(values: dict[str, Any]) -> Job:
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
