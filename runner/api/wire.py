"""Answers of the service as values, leniently where it is safe and strictly where it is not (api-facts 1.2, 1.3).

By hand and not by pydantic: a campaign reads tens of thousands of these. Unknown fields and statuses pass; optional
fields may be null, missing or of a neighbouring type. What must be there is refused when it is not: a job without an id
cannot be watched, and a list with a row that cannot be read must not look like a list without that job, or a job
would be made twice.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from runner.api.carried import carried_error, said_instead
from runner.model import Job, JobPage, JobRow, ListedPage, Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.model import JsonObject

_LAST_SECOND = 253_402_300_799  # the end of the year 9999: later times cannot be written as dates
_LONGEST_ID = 256  # the documents say 64
# What jobs are asked to do, and say of their tasks, may speak of errors, too.
_TOLD_OF_A_JOB = frozenset({"items", "tasks", "description", "name"})
_TOLD_OF_A_LIST = frozenset({"data"})


class UnreadableAnswer(Exception):
    """The body is not what the service documents. The text says what is wrong with it."""


def read_object(body: bytes) -> dict[str, object]:
    """The JSON object in `body`. Raises UnreadableAnswer."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        value = _repaired(body)
        if value is None:
            raise UnreadableAnswer(f"not JSON: {exc.msg}" if body else "the body is empty") from None
    if not isinstance(value, dict):
        raise UnreadableAnswer("not a JSON object")
    return value


def _repaired(body: bytes) -> object:
    """What the body says if letters that are none are replaced, and numbers that are none are null; else None.

    A message of a task that is in another encoding, or was cut within a letter, must not hide how the task ended.
    """
    try:
        value = json.loads(body.decode("utf-8", "replace"), parse_constant=lambda _: None)
        return orjson.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def read_job(body: bytes, clean: Callable[[str], str]) -> Job:
    """The job in the answer to a create or a detail read. `clean` is applied to what tasks say. Raises UnreadableAnswer.

    An object that carries an error is not a job, whatever else is in it.
    """
    value = _without_error(body, _TOLD_OF_A_JOB)
    return Job(
        job_id=_id(value),
        name=_text(value.get("name")),
        service_type=_text(value.get("type")),
        status=_text(value.get("status")),
        abnormal_count=_count(value.get("abnormal_count")),
        template_id=_text(value.get("template_id")),
        user_name=_text(value.get("user_name")),
        created_at=read_time(value.get("create_at")),
        updated_at=read_time(value.get("update_at")),
        tasks=_tasks(value.get("tasks"), clean),
    )


def read_page(body: bytes) -> JobPage:
    """One page of the job list. Raises UnreadableAnswer, also where only one row cannot be read.

    An object that carries an error is no page: its rows may be none for that reason.
    """
    value = _without_error(body, _TOLD_OF_A_LIST)
    data = _rows(value, "jobs")
    return JobPage(tuple(_row(row) for row in data), *_envelope(value))


def read_listed(body: bytes, what: str, key: str) -> ListedPage:
    """One page of a list of `what`, each with a text under `key` by which it is known. Raises as `read_page` does."""
    value = _without_error(body, _TOLD_OF_A_LIST)
    return ListedPage(tuple(_known_row(row, what, key) for row in _rows(value, what)), *_envelope(value))


def _known_row(row: object, what: str, key: str) -> JsonObject:
    if not isinstance(row, dict) or not isinstance(row.get(key), str) or not 0 < len(row[key]) <= _LONGEST_ID:
        raise UnreadableAnswer(f"a row of the list of {what} has no usable `{key}`")
    return row


def _rows(value: dict[str, object], what: str) -> list[object]:
    data = value.get("data")
    if data is None and _count(value.get("total")) == 0:
        data = []
    if not isinstance(data, list):
        raise UnreadableAnswer(f"there is no list of {what} in it")
    return data


def _envelope(value: dict[str, object]) -> tuple[int | None, int | None, int | None, int | None, str | None]:
    """What a list tells of itself: total, current, pages, size, and what an empty one says beside."""
    total, current, pages, size = (_count(value.get(field)) for field in ("total", "current", "pages", "size"))
    return total, current, pages, size, None if value.get("data") else said_instead(value)


def _without_error(body: bytes, told: frozenset[str]) -> dict[str, object]:
    """The object in `body`. What is in its fields `told` is not the answer's own. Raises UnreadableAnswer."""
    value = read_object(body)
    error = carried_error(value, told)
    if error is not None:
        raise UnreadableAnswer(f"it carries the error {error}")
    return value


def read_time(value: object) -> float | None:
    """Epoch seconds of a time told as epoch milliseconds, as a numeric string or in ISO 8601 (UTC where unsaid)."""
    if isinstance(value, str):
        text = value.strip()
        if not text.isdecimal():
            return _iso_time(text)
        value = int(text) if len(text) < len("253402300799000000") else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    seconds = value / 1000
    return seconds if 0 <= seconds <= _LAST_SECOND else None


def _iso_time(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _row(value: object) -> JobRow:
    if not isinstance(value, dict):
        raise UnreadableAnswer("a row of the list is not an object")
    return JobRow(_id(value), _text(value.get("name")), _text(value.get("status")), read_time(value.get("create_at")))


def _tasks(value: object, clean: Callable[[str], str]) -> tuple[Task, ...]:
    """A row without the server it is about is left out: that server then counts as missing, which is the safe side."""
    if not isinstance(value, list):
        return ()
    return tuple(_task(row, clean) for row in value if isinstance(row, dict) and _text(row.get("server_id")))


def _task(value: dict[str, object], clean: Callable[[str], str]) -> Task:
    message = _text(value.get("message"))
    return Task(
        task_id=_text(value.get("id")),
        server_id=str(value["server_id"]),
        server_name=_text(value.get("server_name")),
        status=_text(value.get("status")),
        message=None if message is None else clean(message),
        created_at=read_time(value.get("create_at")),
        updated_at=read_time(value.get("update_at")),
        cloud_server=_strings(value.get("cloud_server")),
    )


def _id(value: dict[str, object]) -> str:
    job_id = value.get("id")
    # A dot segment would leave the folder of jobs when it is put into a path.
    if not isinstance(job_id, str) or not 0 < len(job_id) <= _LONGEST_ID or job_id in {".", ".."}:
        raise UnreadableAnswer("there is no usable job id in it")
    return job_id


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _count(value: object) -> int | None:
    if isinstance(value, str) and value.isdecimal() and len(value) <= len("4294967295"):
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _strings(value: object) -> dict[str, str] | None:
    if not isinstance(value, dict):
        return None
    return {key: text for key, item in value.items() if (text := _text(item)) is not None}
