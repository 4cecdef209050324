"""The report: a fold over the journal, in the shape of `schemas/report.schema.json`.

Nothing in it depends on when it is made, so that the report of a finished run is always the same bytes.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from runner.campaign import events as e
from runner.campaign.outcomes import LETTER, OUTCOME
from runner.campaign.verdict import RUNNING
from runner.model import Outcome
from runner.plan.keys import job_name, request_key, run_token
from runner.report.pace import PaceStory
from runner.report.requests import RequestState, RequestStory
from runner.report.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runner.model import Server, Task
    from runner.plan.plan import Plan

SCHEMA_VERSION = "runner/report/v1"
Report = dict[str, Any]
"""A report as JSON holds it; `runner.report.models` has its fields."""

_SUCCEEDED = LETTER[Outcome.SUCCEEDED]
_ABNORMAL = {letter for letter, outcome in OUTCOME.items() if outcome.is_abnormal}


def fold_report(
    plan: Plan,
    run_id: str,
    events: Iterable[e.Event],
    *,
    unended_state: str = RUNNING,
    journal_head: str | None = None,
) -> Report:
    """Make the report of a run. `unended_state` is what to call it if nothing says how it ended.

    `journal_head` is the hash of the journal's last entry.
    """
    report = _Fold(plan, run_id, unended_state).report(events)
    report["run"]["journal_head"] = journal_head
    return report


class _Fold:
    def __init__(self, plan: Plan, run_id: str, unended_state: str) -> None:
        self._plan = plan
        self._run_id = run_id
        self._token = run_token(run_id)
        self._unended_state = unended_state
        self._stories = [RequestStory() for _ in plan.requests]
        self._pace = PaceStory(self._lane_of, len(plan.lanes))
        self._started: e.RunStarted | None = None
        self._ended: e.RunEnded | None = None
        self._behind: list[set[str]] = [set() for _ in plan.groups]
        self._counts: list[Counter[str]] = [Counter() for _ in plan.groups]

    def _lane_of(self, request: int) -> int:
        return self._plan.groups[self._plan.requests[request].group].lane

    def report(self, events: Iterable[e.Event]) -> Report:
        for event in events:
            self._tell(event)
        jobs = [self._job(index) for index in range(len(self._plan.requests))]
        counts = sum(self._counts, Counter())
        return {
            "schema_version": SCHEMA_VERSION,
            "run": self._run(),
            "counts": _counts(counts),
            "abnormal_count": _abnormal(counts),
            "requests": self._requests(),
            "throttling": self._pace.throttling(),
            "submission": self._pace.submission(),
            "groups": [
                {"name": group.name, "counts": _counts(part), "abnormal_count": _abnormal(part)}
                for group, part in zip(self._plan.groups, self._counts, strict=True)
            ],
            "jobs": jobs,
        }

    def _tell(self, event: e.Event) -> None:
        request = getattr(event, "request", None)
        if request is not None:
            self._stories[request].tell(event)
            self._pace.tell(event)
        elif isinstance(event, e.RunStarted):
            self._started = event
        elif isinstance(event, e.RunResumed):
            self._ended = None
        elif isinstance(event, e.RunEnded):
            self._ended = event

    def _run(self) -> dict[str, Any]:
        started, ended = self._started, self._ended
        started_at = started.at if started else None
        took = round(ended.at - started.at, 3) if ended and started else None
        return {
            "id": self._run_id,
            "campaign": self._plan.campaign,
            "plan_hash": self._plan.plan_hash,
            "state": ended.state if ended else self._unended_state,
            "reason": ended.reason if ended else "",
            "exit_code": ended.exit_code if ended else None,
            "started_at": rfc3339(started_at),
            "finished_at": rfc3339(ended.at) if ended else None,
            "duration_s": took,
            "runner_version": started.runner_version if started else None,
            "simulated": started.simulated if started else False,
        }

    def _requests(self) -> dict[str, int]:
        stories = self._stories
        open_doubts = {RequestState.IN_DOUBT, RequestState.GIVEN_UP, RequestState.CONFLICT}
        return {
            "planned": len(stories),
            "accepted": sum(story.accepted for story in stories),
            "refused": sum(story.state is RequestState.REFUSED for story in stories),
            "adopted": sum(story.adopted for story in stories),
            "in_doubt": sum(story.state in open_doubts for story in stories),
        }

    def _job(self, index: int) -> dict[str, Any]:
        """One request's entry. Called in the order of the plan: what a server did in an earlier step is known then."""
        request, story = self._plan.requests[index], self._stories[index]
        servers = self._servers_left(index)
        letters = story.outcomes or story.state.letter * len(servers)
        self._count(index, servers, letters)
        state = RequestState.VOID if not servers and story.state is RequestState.PLANNED else story.state
        key = request_key(self._token, index)
        job = story.job
        return {
            "key": key,
            "name": job_name(str(request.body["name"]), key),
            "job_id": job.job_id if job else None,
            "group": self._plan.groups[request.group].name,
            "step": self._plan.steps[request.step],
            "lane": self._plan.lanes[self._lane_of(index)].label,
            "type": request.body["type"],
            "service_type": job.service_type if job else None,
            "state": state.value,
            "status": job.status if job else None,
            "abnormal_count": sum(letter in _ABNORMAL for letter in letters),
            "service_abnormal_count": job.abnormal_count if job else None,
            "template_id": job.template_id if job else None,
            "user_name": job.user_name if job else None,
            "created_at": rfc3339(job.created_at) if job else None,
            "updated_at": rfc3339(job.updated_at) if job else None,
            "attempts": story.attempts,
            "error": _error(story),
            "tasks": _tasks(servers, letters, story),
        }

    def _servers_left(self, index: int) -> Sequence[Server]:
        request = self._plan.requests[index]
        behind = self._behind[request.group]
        servers = self._plan.servers_of(index)
        return [server for server in servers if server.id not in behind] if request.step and behind else servers

    def _count(self, index: int, servers: Sequence[Server], letters: str) -> None:
        request = self._plan.requests[index]
        is_last = request.step == len(self._plan.steps) - 1
        if is_last:
            self._counts[request.group].update(letters)
            return
        for server, letter in zip(servers, letters, strict=True):
            if letter != _SUCCEEDED:
                self._counts[request.group][letter] += 1
                self._behind[request.group].add(server.id)


def _counts(counts: Counter[str]) -> dict[str, int]:
    return {"servers": sum(counts.values()), **{outcome.value: counts[letter] for letter, outcome in OUTCOME.items()}}


def _abnormal(counts: Counter[str]) -> int:
    return sum(counts[letter] for letter in _ABNORMAL)


def _error(story: RequestStory) -> dict[str, Any] | None:
    error = story.error
    if error is None:
        return None
    return {
        "http_status": error.http_status,
        "code": error.code,
        "message": error.message,
        "request_id": error.request_id,
    }


def _tasks(servers: Sequence[Server], letters: str, story: RequestStory) -> list[dict[str, Any]]:
    """One entry a server, also for one that the service showed no task of."""
    shown = {task.server_id: task for task in story.job.tasks} if story.job else {}
    return [
        _task(server, OUTCOME[letter].value, shown.get(server.id))
        for server, letter in zip(servers, letters, strict=True)
    ]


def _task(server: Server, outcome: str, task: Task | None) -> dict[str, Any]:
    if task is None:
        nothing = dict.fromkeys(("status", "message", "task_id", "created_at", "updated_at", "cloud_server"))
        return {"server_id": server.id, "server_name": server.name, "outcome": outcome, **nothing}
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
