"""The report: a fold over the journal, in the shape of `schemas/report.schema.json`.

Nothing in it depends on when it is made, so that the report of a finished run is always the same bytes.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from runner.model import Outcome, RunState
from runner.plan.keys import job_name, request_key, run_token
from runner.report.pace import PaceStory
from runner.report.requests import RequestState, RequestStory
from runner.report.rollout import DecisionStory, budget_part, evidence_part, wave_part
from runner.report.times import rfc3339
from runner.rules.outcomes import LETTER, OUTCOME
from runner.run import events as e
from runner.run.evolve import evolve
from runner.run.facts import initial_facts
from runner.run.requests import RequestTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runner.model import Server, Task
    from runner.plan.plan import Plan
    from runner.run.waves import RolloutFacts

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
    unended_state: str = RunState.RUNNING,
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
        # The state tells of waves and budgets, and is not needed without: folding it, too, would take as long again.
        self._state = initial_facts(plan) if plan.rollout is not None else None
        self._table = self._state.requests if self._state is not None else RequestTable(plan)
        self._stories = [RequestStory() for _ in plan.requests]
        self._pace = PaceStory(self._lane_of, len(plan.lanes))
        self._decisions = DecisionStory(plan)
        self._started: e.RunStarted | None = None
        self._ended: e.RunEnded | None = None
        self._behind: list[set[str]] = [set() for _ in plan.groups]
        self._counts: list[Counter[str]] = [Counter() for _ in plan.groups]
        self._wave_counts: list[Counter[str]] = [Counter() for _ in plan.rollout.waves] if plan.rollout else []

    def _lane_of(self, request: int) -> int:
        return self._plan.groups[self._table.entries[request].group].lane

    def report(self, events: Iterable[e.Event]) -> Report:
        for event in events:
            self._tell(event)
        jobs = self._jobs()
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
            "waves": self._waves(),
            "budget": budget_part(self._rollout.ledger) if self._rollout else None,
            "evidence": evidence_part(self._rollout) if self._rollout else None,
            "decisions": self._decisions.decisions,
            "jobs": jobs,
        }

    @property
    def _rollout(self) -> RolloutFacts | None:
        return self._state.rollout if self._state else None

    def _waves(self) -> list[dict[str, Any]]:
        if self._rollout is None:
            return []
        return [
            {**wave_part(wave), "counts": _counts(counts), "decisions": self._decisions.of_wave(wave.plan.name)}
            for wave, counts in zip(self._rollout.waves, self._wave_counts, strict=True)
        ]

    def _tell(self, event: e.Event) -> None:
        if self._state is not None:
            evolve(self._state, event)
        elif isinstance(event, e.Split):
            self._table.split(event.request, event.cut)
        while len(self._stories) < len(self._table):
            self._stories.append(RequestStory())
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
        else:
            self._decisions.tell(event)

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
            "planned": len(self._plan.requests),
            "split": len(self._table.pieces),
            "accepted": sum(story.accepted for story in stories),
            "refused": sum(story.state is RequestState.REFUSED for story in stories),
            "adopted": sum(story.adopted for story in stories),
            "in_doubt": sum(story.state in open_doubts for story in stories),
        }

    def _jobs(self) -> list[dict[str, Any]]:
        """Every request but those that were split, and those of checks that were never made; pieces in their place."""
        entries = self._table.entries
        shown = [index for index in range(len(entries)) if self._is_shown(index)]
        # What a server did in an earlier step must be known first.
        if len(self._plan.steps) > 1:
            shown.sort(key=lambda index: entries[index].step)
        jobs = {index: self._job(index) for index in shown}
        if len(entries) > len(self._plan.requests):
            shown.sort(key=lambda i: (entries[i].wave, entries[i].group, entries[i].step, entries[i].start))
        else:
            shown.sort()
        return [jobs[index] for index in shown]

    def _is_shown(self, index: int) -> bool:
        story = self._stories[index]
        if index in self._table.pieces:
            return story.state is RequestState.CONFLICT  # its servers are those of its pieces
        return self._is_main(index) or story.attempts > 0 or story.state is not RequestState.PLANNED

    def _is_main(self, index: int) -> bool:
        return self._table.entries[index].step < self._plan.main_steps

    def _purpose(self, index: int) -> str:
        if self._is_main(index):
            return "change"
        return "after_failure" if self._table.is_follow_up(index) else "check"

    def _job(self, index: int) -> dict[str, Any]:
        """One request's entry. Called step by step: what a server did in an earlier step is known then."""
        request, story = self._table.entries[index], self._stories[index]
        servers = self._servers_left(index)
        letters = story.outcomes or story.state.letter * len(servers)
        self._count(index, servers, letters)
        state = RequestState.VOID if not servers and story.state is RequestState.PLANNED else story.state
        key = request_key(self._token, self._table.number_of(index))
        job = story.job
        return {
            "key": key,
            "name": job_name(str(request.body["name"]), key),
            "job_id": job.job_id if job else None,
            "wave": self._plan.rollout.waves[request.wave].name if self._plan.rollout else None,
            "group": self._plan.groups[request.group].name,
            "step": self._plan.steps[request.step],
            "purpose": self._purpose(index),
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
        request = self._table.entries[index]
        behind = self._behind[request.group]
        servers = () if index in self._table.pieces else self._table.servers_of(index)
        if not request.step or not behind or self._table.is_follow_up(index):
            return servers
        return [server for server in servers if server.id not in behind]

    def _count(self, index: int, servers: Sequence[Server], letters: str) -> None:
        if not self._is_main(index):
            return
        request = self._table.entries[index]
        is_last = request.step == self._plan.main_steps - 1
        final = letters if is_last else "".join(letter for letter in letters if letter != _SUCCEEDED)
        self._counts[request.group].update(final)
        if self._wave_counts:
            self._wave_counts[request.wave].update(final)
        if request.step < len(self._plan.steps) - 1:
            behind = (server.id for server, letter in zip(servers, letters, strict=True) if letter != _SUCCEEDED)
            self._behind[request.group].update(behind)


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
