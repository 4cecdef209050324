"""What a report says of each request: its job, and the task of each of its servers."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from runner.plan.keys import job_name, request_key
from runner.report.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runner.model import Job, JsonObject, Server, Task
    from runner.plan.plan import PlannedRequest
    from runner.report.details import Details, LostSight
    from runner.rules.answers import ReadFailures, ServiceError
    from runner.run.by_request import RequestStanding
    from runner.run.facts import Facts

Reading = tuple[int | None, "ReadFailures | None"]
"""How often a job was read, None where nobody knows, and what came of the reads that failed."""
_NO_TASK = dict.fromkeys(("status", "message", "task_id", "created_at", "updated_at", "cloud_server"))


def job_parts(facts: Facts, token: str, every: Iterable[RequestStanding], details: Details) -> Iterator[JsonObject]:
    """An entry for each request, in the order of the plan. `token` is the run's part of job names."""
    entries = facts.requests.entries
    shown = sorted(every, key=attrgetter("request"))
    if len(entries) > len(facts.plan.requests):
        shown.sort(key=lambda standing: _place(entries[standing.request]))
    labels = [lane.label for lane in facts.plan.lanes]
    for standing in shown:
        yield _job_part(facts, token, labels, standing, details)


def _place(entry: PlannedRequest) -> tuple[int, int, int, int]:
    return entry.wave, entry.group, entry.step, entry.start


def purpose(facts: Facts, request: int) -> str:
    """What the request is for: the change itself, a check, or what follows a failure."""
    if facts.is_main(request):
        return "change"
    return "after_failure" if facts.requests.is_follow_up(request) else "check"


def _job_part(
    facts: Facts, token: str, labels: Sequence[str], standing: RequestStanding, details: Details
) -> JsonObject:
    request, plan = standing.request, facts.plan
    job = details.jobs.get(request)
    entry = facts.requests.entries[request]
    key = request_key(token, facts.requests.number_of(request))
    return {
        "key": key,
        "name": job_name(str(entry.body["name"]), key),
        "job_id": job.job_id if job else None,
        "wave": plan.rollout.waves[entry.wave].name if plan.rollout else None,
        "group": plan.groups[entry.group].name,
        "step": plan.steps[entry.step],
        "purpose": purpose(facts, request),
        "lane": labels[plan.groups[entry.group].lane],
        "type": entry.body["type"],
        "service_type": job.service_type if job else None,
        "state": standing.state.value,
        "status": job.status if job else None,
        "abnormal_count": standing.outcomes.abnormal,
        "service_abnormal_count": job.abnormal_count if job else None,
        "template_id": job.template_id if job else None,
        "user_name": job.user_name if job else None,
        "created_at": rfc3339(job.created_at) if job else None,
        "updated_at": rfc3339(job.updated_at) if job else None,
        "attempts": facts.sent[request],
        "error": error_part(facts.errors.get(request)) if facts.errors else None,
        "excluded": _exclusion_part(facts, request) if facts.exclusions else None,
        "lost": _lost_part(details.lost.get(request)) if details.lost else None,
        "reading": _reading_part(details.readings.get(request)),
        "tasks": _task_parts(standing, job),
    }


def _lost_part(lost: LostSight | None) -> dict[str, str | None] | None:
    return None if lost is None else {"at": rfc3339(lost.at), "reason": lost.reason}


def _reading_part(reading: Reading | None) -> JsonObject | None:
    if reading is None:
        return None
    reads, failures = reading
    return {
        "reads": reads,
        "failed": failures.failed if failures else 0,
        "last_error": error_part(failures.error) if failures else None,
        "unread": failures is not None and failures.unread,
    }


def error_part(error: ServiceError | None) -> JsonObject | None:
    """An error as a report has it."""
    if error is None:
        return None
    return {
        "http_status": error.http_status,
        "code": error.code,
        "message": error.message,
        "request_id": error.request_id,
    }


def _exclusion_part(facts: Facts, request: int) -> dict[str, str] | None:
    exclusion = facts.exclusions.get(request)
    return {"who": exclusion.who, "why": exclusion.why} if exclusion is not None and exclusion.who else None


def _task_parts(standing: RequestStanding, job: Job | None) -> list[JsonObject]:
    """One entry a server, also for one that the service showed no task of."""
    shown = {task.server_id: task for task in job.tasks} if job else {}
    return [
        _task_part(server, outcome.value, shown.get(server.id))
        for server, outcome in zip(standing.servers, standing.outcomes, strict=True)
    ]


def _task_part(server: Server, outcome: str, task: Task | None) -> JsonObject:
    if task is None:
        return {"server_id": server.id, "server_name": server.name, "outcome": outcome, **_NO_TASK}
    return {
        "server_id": server.id,
        "server_name": task.server_name or server.name,
        "outcome": outcome,
        "status": task.status,
        "message": task.message,
        "task_id": task.task_id,
        "created_at": rfc3339(task.created_at),
        "updated_at": rfc3339(task.updated_at),
        "cloud_server": task.cloud_server,
    }
