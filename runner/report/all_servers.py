"""One row a server: how it came out of a run, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner.report.causes import labels_by_server
from runner.report.server_rows import why

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runner.model import JsonObject
    from runner.plan.plan import Plan

_WELL = "succeeded"
_NO_LABELS: Mapping[str, str] = {}
_NOT_TRIED = {"not_started", "excluded"}
BAD = frozenset({"failed", "timed_out", "unknown"})


class ServerResult(NamedTuple):
    """A server: its outcome, of the step that it did not get through, or of the last one.

    `at_work`: its job is at work, so that its outcome, unknown, is none yet. `updated_at` is RFC 3339. `why` is empty for
    a server that succeeded, or is at work, or was not tried; it is in the service's words, of any length.
    """

    id: str
    name: str
    outcome: str
    at_work: bool
    wave: str | None
    group: str
    lane: str
    step: str
    job_id: str | None
    updated_at: str | None
    why: str
    labels: Mapping[str, str]

    @property
    def is_bad(self) -> bool:
        """Whether it is abnormal."""
        return self.outcome in BAD and not self.at_work


def all_servers(plan: Plan, jobs: Iterable[JsonObject]) -> list[ServerResult]:
    """All servers of a run in the order of its plan; `jobs` are those of its report."""
    labels = labels_by_server(plan)
    rows: dict[tuple[str, str], ServerResult] = {}
    for job in jobs:
        if job["purpose"] == "change":
            lane, at_work, rest = job["lane"], job["state"] == "accepted", (job["wave"], job["group"], job["lane"])
            for task in job["tasks"]:
                key = lane, task["server_id"]
                rows[key] = ServerResult(
                    key[1],
                    task["server_name"] or "",
                    task["outcome"],
                    at_work,
                    *rest,
                    job["step"],
                    job["job_id"],
                    task["updated_at"] or job["updated_at"],
                    _why(job, task, at_work=at_work),
                    labels.get(key, _NO_LABELS),
                )
    return list(rows.values())


def _why(job: JsonObject, task: JsonObject, *, at_work: bool) -> str:
    outcome = task["outcome"]
    if outcome == _WELL or at_work:
        return ""
    if outcome == "excluded" and job["excluded"] is not None:
        return f"excluded by {job['excluded']['who']}: {job['excluded']['why']}"
    is_said = job["error"] is not None or outcome not in _NOT_TRIED
    return why(job, task) if is_said else ""


def label_names(rows: Iterable[ServerResult]) -> list[str]:
    """The names of all labels that some server has, in order."""
    different = {id(row.labels): row.labels for row in rows}
    return sorted({name for labels in different.values() for name in labels})
