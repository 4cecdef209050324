"""What becomes of a simulated job: fixed when it is made, computed when it is read. No clock and no loop of its own."""

from __future__ import annotations

import fnmatch
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from math import log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from runner.model import JsonObject
    from runner.simulator.behaviour import Behaviour, Tasks

PROCESSING = "PROCESSING"
_ODD_STATUS = "CALIBRATING"
# The share of its time that a job with an odd status shows it.
_ODD_UNTIL = 0.8


@dataclass(frozen=True, slots=True)
class SimulatedTask:
    """One server's part of a job. `ends_at` is None for one that is never final; `shown` is False for a missing row."""

    task_id: str
    server_id: str
    ends_at: float | None
    final_status: str
    message: str
    shown: bool
    odd: bool


class SimulatedJob:
    """A job as it was made, until somebody deletes it. Times are epoch seconds."""

    def __init__(self, job_id: str, request: JsonObject, created_at: float, tasks: Sequence[SimulatedTask]) -> None:
        self.job_id = job_id
        self.name = str(request["name"])
        self.request = request
        self.created_at = created_at
        self.tasks = tasks
        self.deleted = False
        ends = [task.ends_at for task in tasks]
        known = [end for end in ends if end is not None]
        self._end = max(known, default=created_at) if len(known) == len(ends) else None

    def ends_at(self) -> float | None:
        """When the job is FINISHED: with its last task; None if it never is."""
        return self._end

    def reboot_ends_at(self, server_id: str, behaviour: Tasks) -> float:
        """Until when a server of the job reboots after it (api-facts 8.16); 0 if it does not."""
        task = next((task for task in self.tasks if task.server_id == server_id), None)
        if task is None or task.ends_at is None or not self.request.get("is_reboot"):
            return 0.0
        reboots = behaviour.reboots == "always" or task.final_status == "FAILED"
        return task.ends_at + behaviour.reboot_s if reboots else 0.0

    def is_over(self, now: float) -> bool:
        """Whether nothing happens on its servers any more."""
        end = self.ends_at()
        return self.deleted or (end is not None and now >= end)


class JobFactory:
    """Makes jobs, with all chance from one seed."""

    def __init__(self, behaviour: Behaviour, rng: random.Random) -> None:
        self._behaviour = behaviour
        self._rng = rng

    def make(
        self, request: JsonObject, now: float, skipped: AbstractSet[str], failed: AbstractSet[str]
    ) -> SimulatedJob:
        """A job for a checked request; servers in `skipped` and `failed` end so at once."""
        tasks = [self._task(server, now, server in skipped, server in failed) for server in request["server_ids"]]
        return SimulatedJob(self._uuid(), request, now, tasks)

    def _task(self, server: str, now: float, skip: bool, fail: bool) -> SimulatedTask:  # noqa: FBT001  two plain facts
        chances, draw = self._behaviour.tasks, self._rng.random
        duration = chances.duration_s * _stretch(chances, draw())
        status = "SUCCESS"
        if fail or draw() < chances.failing or any(fnmatch.fnmatch(server, p) for p in chances.failing_servers):
            status = "FAILED"
        if skip or (status == "SUCCESS" and draw() < chances.skipped):
            status, duration = "SKIPPED", 0.0
        never = draw() < chances.never_final
        shown = draw() >= chances.missing
        said = f"simulated: {status.lower()}" if chances.message is None else chances.message
        ends_at = None if never else now + duration
        return SimulatedTask(
            self._uuid(),
            server,
            ends_at,
            status,
            "" if status == "SUCCESS" else said,
            shown,
            draw() < chances.unknown_status,
        )

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))


class JobView:
    """Shows jobs as the service does."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour

    def row(self, job: SimulatedJob, now: float) -> JsonObject:
        """One row of the list (api-facts 1.3)."""
        switches = self._behaviour.jobs
        kind = job.request["type"]
        row = {
            "id": job.job_id,
            "name": job.name,
            "description": job.request.get("description"),
            "type": switches.rewritten_types.get(kind, kind),
            "status": self._status(job, now),
            "abnormal_count": self._abnormal(job, now),
            "user_name": None if switches.nulls else "simulator",
            "create_at": self._time(job.created_at),
            "update_at": None if switches.nulls else self._time(self._changed_at(job, now)),
        }
        return row | ({"region_hint": {"undocumented": True}} if switches.extra_fields else {})

    def detail(self, job: SimulatedJob, now: float, *, at_create: bool = False) -> JsonObject:
        """The whole job (api-facts 1.2)."""
        shown = not at_create or self._behaviour.jobs.tasks_at_create == "all"
        return {
            **self.row(job, now),
            "items": job.request["items"],
            "template_id": None if self._behaviour.jobs.nulls else _template_id(job.request["type"]),
            "tasks": [self._task(task, job, now) for task in job.tasks if task.shown] if shown else [],
        }

    def _changed_at(self, job: SimulatedJob, now: float) -> float:
        return now if self._behaviour.jobs.update_at == "of_reading" else min(now, job.ends_at() or now)

    def _status(self, job: SimulatedJob, now: float) -> str:
        if job.deleted:
            return "DELETED"
        if job.is_over(now):
            return "FINISHED"
        if job.tasks and job.tasks[0].odd and not _is_late(job.tasks[0], job.created_at, now):
            return _ODD_STATUS
        return self._behaviour.jobs.status_at_create if now <= job.created_at else PROCESSING

    def _task_status(self, task: SimulatedTask, job: SimulatedJob, now: float) -> str:
        end = job.ends_at()
        is_last = end is not None and task.ends_at == end
        # The last row turns final a moment after its job does.
        lag = self._behaviour.tasks.final_lag_s if is_last else 0.0
        if task.ends_at is not None and now >= task.ends_at + lag:
            return task.final_status
        return _ODD_STATUS if task.odd and not _is_late(task, job.created_at, now) else PROCESSING

    def _abnormal(self, job: SimulatedJob, now: float) -> int:
        counted = {"FAILED", "SKIPPED"} if self._behaviour.jobs.skipped_is_abnormal else {"FAILED"}
        return sum(self._task_status(task, job, now) in counted for task in job.tasks)

    def _task(self, task: SimulatedTask, job: SimulatedJob, now: float) -> JsonObject:
        status = self._task_status(task, job, now)
        return {
            "id": task.task_id,
            "server_id": task.server_id,
            "server_name": None if self._behaviour.jobs.nulls else f"server-{task.server_id[:8]}",
            "status": status,
            "message": task.message if status == task.final_status else None,
            "cloud_server": {"id": f"cloud-{task.server_id[:8]}", "type": "HPS"},
            "create_at": self._time(job.created_at),
            "update_at": self._time(min(now, task.ends_at or now)),
        }

    def _time(self, at: float) -> int | str:
        form = self._behaviour.jobs.times
        if form == "iso":
            return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        milliseconds = int(at * 1000)
        return milliseconds if form == "milliseconds" else str(milliseconds)


def _stretch(tasks: Tasks, drawn: float) -> float:
    """How many times its usual duration a task lasts."""
    return -log(1 - drawn) if tasks.lasts == "exponential" else 1 + tasks.spread * (2 * drawn - 1)


@cache
def _template_id(job_type: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, job_type))


def _is_late(task: SimulatedTask, created_at: float, now: float) -> bool:
    return task.ends_at is not None and now >= created_at + _ODD_UNTIL * (task.ends_at - created_at)
