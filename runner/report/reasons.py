"""Why a server did not succeed: in the service's own words, or why there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.rules.outcomes import DELETED

if TYPE_CHECKING:
    from runner.model import JsonObject

_AT_WORK = frozenset({"PROCESSING", "ACTIVE"})
_NO_REASON = "the service gives no reason"


def reason(job: JsonObject, task: JsonObject) -> str:
    """Why the task's server ended as it did; `job` and `task` as a report has them.

    That the service gives no reason is said only of what was read to its end.
    """
    if task["message"]:
        return str(task["message"])
    if job["state"] == "in_doubt":
        return "no answer yet"
    if task["outcome"] not in {"timed_out", "unknown"}:
        return _NO_REASON
    return _of_job(job) or (_of_time_out(task["status"]) if task["outcome"] == "timed_out" else _NO_REASON)


def _of_job(job: JsonObject) -> str | None:
    """Why nobody saw the job end, but for one that took too long."""
    reading = job["reading"]
    if reading is not None and reading["unread"]:
        return f"the job could not be read: {error_words(reading['last_error'])}"
    if job["status"] == DELETED:
        return "somebody deleted the job"
    is_known = job["lost"] is None or job["status"] is not None
    return None if is_known else str(job["lost"]["reason"])


def _of_time_out(status: str | None) -> str:
    if status is None:
        return "the service showed no task of the server in `watch.job_timeout`"
    if status in _AT_WORK:
        return "still at work after `watch.job_timeout`"
    return f"after `watch.job_timeout` its task has the status {status}, which is none that is known"


def error_words(error: JsonObject) -> str:
    """An error of a report in one line."""
    status = f"HTTP {error['http_status']} " if error["http_status"] else ""
    return f"{status}{error['code'] or ''} ".lstrip() + str(error["message"])
