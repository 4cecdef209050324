"""The simulated service without HTTP: what each call answers at a given time. Cheap per call, whatever the fleet."""

from __future__ import annotations

import random
import re
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Literal

from runner.simulator.deviating import answer_to_create, job_detail, list_page, starts_at, stored_name
from runner.simulator.jobs import JobFactory, JobView, SimulatedJob
from runner.simulator.replies import SimulatedReply, page, refusal
from runner.simulator.servers import Fleet
from runner.simulator.templates import Templates
from runner.simulator.windows import window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.model import JsonMapping
    from runner.simulator.behaviour import Behaviour

_TOKEN = re.compile(r"[-_.a-zA-Z0-9]{1,64}")
_LONGEST_DESCRIPTION = 256
ServerListKind = Literal["mine", "all", "hyper", "topology"]


class SimulatedService:
    """The state of the simulated service. `clock` gives epoch seconds. `deviations` may be changed at any time."""

    def __init__(self, behaviour: Behaviour, clock: Callable[[], float]) -> None:
        self.behaviour = behaviour
        self.deviations = behaviour.deviations
        self.jobs: dict[str, SimulatedJob] = {}
        self.calls: Counter[str] = Counter()
        self._clock = clock
        self.fleet = Fleet(behaviour.servers, behaviour.fleet, clock())
        self.templates = Templates(behaviour)
        self._rng = random.Random(behaviour.seed)  # noqa: S311  chance that can be repeated is the point
        self._factory = JobFactory(behaviour, self._rng)
        self._view = JobView(behaviour)
        self._busy: dict[str, SimulatedJob] = {}
        self._names: set[str] = set()
        self._changes = list(behaviour.throttle.changes)
        self._first_call_at: float | None = None
        self._set_limits(behaviour.throttle.creates, behaviour.throttle.reads)
        self._add_foreign_jobs()

    # --- what the API does ------------------------------------------------------------------------------------------

    def create(self, body: object) -> SimulatedReply:
        """Make a job, or refuse (api-facts 1.1)."""
        self.calls["create"] += 1
        throttled = self._throttled("creates")
        if throttled is not None:
            return throttled
        problem = self._invalid(body) or (self.templates.refuses(body) if isinstance(body, dict) else None)
        if problem is not None or not isinstance(body, dict):
            return refusal(400, "ModelArts.0104", problem or "Invalid parameter.")
        failed, skipped = set[str](), set[str]()
        for server in body["server_ids"]:
            answer = self._check_server(server, failed, skipped)
            if answer is not None:
                return answer
        job = self._factory.make(body, self._clock(), skipped, failed)
        before = next(reversed(self.jobs.values()), None)
        self._keep(job)
        shown = job if before is None or self.deviations.create_answer != "job_before" else before
        detail = self._view.detail(shown, job.created_at, at_create=True)
        return SimulatedReply(200, answer_to_create(detail, self.deviations))

    def get(self, job_id: str) -> SimulatedReply:
        """One job (api-facts 1.2)."""
        self.calls["get"] += 1
        throttled = self._throttled("reads")
        if throttled is not None:
            return throttled
        job = self.jobs.get(job_id)
        is_new = job is not None and self._clock() < job.created_at + self.deviations.detail_missing_s
        if job is None or job.deleted or is_new:
            status = 404 if self.behaviour.jobs.missing_is_404 else 400
            return refusal(status, "ModelArts.6404", f"Job '{job_id}' not found.")
        shown_as_of = max(job.created_at, self._clock() - self.deviations.detail_lag_s)
        return SimulatedReply(200, job_detail(self._view.detail(job, shown_as_of), self.deviations))

    def list_jobs(self, query: Mapping[str, str]) -> SimulatedReply:
        """A page of the list (api-facts 1.3)."""
        self.calls["list"] += 1
        throttled = self._throttled("reads")
        if throttled is not None:
            return throttled
        now, switches = self._clock(), self.behaviour.listing
        rows = [job for job in reversed(self.jobs.values()) if self._is_listed(job, query, now)]
        rows = rows[1:] if self.deviations.hidden == "newest" else rows
        if switches.order == "oldest":
            rows.reverse()
        elif switches.order == "random":
            self._rng.shuffle(rows)
        size, offset = switches.page_size, 0
        if switches.paging == "honoured":
            size = min(switches.most, int(query.get("limit") or size))
            offset = starts_at(int(query.get("offset") or 0), self.deviations)
        as_of = now - self.deviations.row_lag_s
        shown = [self._view.row(job, max(job.created_at, as_of)) for job in rows[offset : offset + size]]
        return list_page(page(shown, len(rows), size, offset), self.deviations)

    def delete(self, body: object) -> SimulatedReply:
        """Delete jobs (api-facts 1.5)."""
        job_ids = body.get("job_ids") if isinstance(body, dict) else None
        if not isinstance(job_ids, list) or not job_ids:
            return refusal(400, "ModelArts.0104", "job_ids must not be empty.")
        jobs = [self.jobs.get(job_id) for job_id in job_ids]
        now = self._clock()
        for job_id, job in zip(job_ids, jobs, strict=True):
            if job is None or job.deleted:
                return refusal(400, "ModelArts.6404", f"Job '{job_id}' not found.")
            if self.behaviour.delete.processing == "refuse" and not job.is_over(now):
                return refusal(400, "ModelArts.6357", f"Job '{job_id}' is in progress.")
        found = [job for job in jobs if job is not None]
        for job in found:
            job.deleted = True
        return page([self._view.row(job, now) for job in found], len(found), len(found), 0)

    def list_servers(self, query: Mapping[str, str], kind: ServerListKind = "mine") -> SimulatedReply:
        """A page of servers or hyper-instances, or the topology (api-facts 2)."""
        self.calls[kind] += 1
        throttled = self._throttled("reads")
        if throttled is not None:
            return throttled
        lists = self.fleet.lists
        if kind == "topology":
            return lists.topology()
        return lists.hyper_instances(query) if kind == "hyper" else lists.servers(query, of_all=kind == "all")

    def list_templates(self, query: Mapping[str, str]) -> SimulatedReply:
        """A page of the job templates (api-facts 1.6)."""
        self.calls["templates"] += 1
        return self._throttled("reads") or self.templates.listed(query)

    # --- what tests and demos ask -----------------------------------------------------------------------------------

    def jobs_by_server(self) -> dict[str, list[SimulatedJob]]:
        """Every job of each server."""
        found: dict[str, list[SimulatedJob]] = {}
        for job in self.jobs.values():
            for task in job.tasks:
                found.setdefault(task.server_id, []).append(job)
        return found

    def chance(self) -> float:
        """A number from 0 to 1, from the seed."""
        return self._rng.random()

    # --- rules ------------------------------------------------------------------------------------------------------

    def _set_limits(self, creates: int | None, reads: int | None) -> None:
        switches = self.behaviour.throttle
        counts = switches.counts_refused
        self._creates = window(switches.kind, creates, switches.create_period_s, counts_refused=counts)
        self._reads = window(switches.kind, reads, switches.read_period_s, counts_refused=counts)

    def _change_limits(self, now: float) -> None:
        if self._first_call_at is None:
            self._first_call_at = now
        while self._changes and now >= self._first_call_at + self._changes[0].after_s:
            change = self._changes.pop(0)
            self._set_limits(change.creates, change.reads)

    def _throttled(self, kind: Literal["creates", "reads"]) -> SimulatedReply | None:
        now, switches = self._clock(), self.behaviour.throttle
        if self._changes:
            self._change_limits(now)
        window = self._creates if kind == "creates" else self._reads
        wait_s = window.refuses(now)
        if switches.chance and self._rng.random() < switches.chance:
            return refusal(429, "APIGW.0308", "The throttling threshold has been reached")
        if wait_s is None:
            return None
        period = "1 minute" if window.period_s == 60 else f"{window.period_s:g} second"  # noqa: PLR2004  a minute
        text = "The throttling threshold has been reached"
        if switches.says_limit:
            text += f": policy user over ratelimit,limit:{window.limit},time:{period}"
        reply = refusal(429, "APIGW.0308", text)
        return SimulatedReply(429, reply.body, {"Retry-After": str(int(wait_s) + 1)}) if switches.retry_after else reply

    def _invalid(self, body: object) -> str | None:
        if not isinstance(body, dict):
            return "The body must be a JSON object."
        unknown = body.keys() - {"name", "description", "server_ids", "type", "is_reboot", "items"}
        if unknown:
            return f"Unknown field {min(unknown)}."
        for field in ("name", "type"):
            if not isinstance(body.get(field), str) or not _TOKEN.fullmatch(body[field]):
                return f"Invalid {field}."
        if self.behaviour.jobs.unique_names and body["name"] in self._names:
            return "The name exists."
        return _invalid_description(body, strict=self.behaviour.jobs.strict_description) or self._invalid_lists(body)

    def _invalid_lists(self, body: JsonMapping) -> str | None:
        servers, items = body.get("server_ids"), body.get("items")
        if not isinstance(servers, list) or not servers or not all(isinstance(server, str) for server in servers):
            return "Invalid server_ids."
        if self.behaviour.servers.duplicates == "refuse" and len(set(servers)) != len(servers):
            return "Duplicate server_ids."
        most = self.behaviour.jobs.most_servers
        if most is not None and len(servers) > most:
            return f"At most {most} servers."
        if not isinstance(items, list) or not items or not all(_is_item(item) for item in items):
            return "Invalid items."
        return None if isinstance(body.get("is_reboot", False), bool) else "Invalid is_reboot."

    def _check_server(self, server: str, failed: set[str], skipped: set[str]) -> SimulatedReply | None:
        switches, now = self.behaviour.servers, self._clock()
        status, busy = self.fleet.status(server), self._busy.get(server)
        if busy is not None and busy.is_over(now):
            status = "REBOOTING" if now < busy.reboot_ends_at(server, self.behaviour.tasks) else status
            busy = None
        if status is None:
            if switches.unknown == "refuse":
                return self.fleet.unknown(server)
            (failed if switches.unknown == "fail" else skipped).add(server)
        elif status != "RUNNING":
            if switches.not_running == "refuse":
                return self.fleet.not_running(server, status)
            skipped.add(server)
        elif self.fleet.is_occupied(server, now) or (busy is not None and switches.busy == "refuse"):
            return self.fleet.busy(server)
        elif busy is not None and switches.busy == "skip":
            skipped.add(server)
        return None

    def _is_listed(self, job: SimulatedJob, query: Mapping[str, str], now: float) -> bool:
        switches = self.behaviour.listing
        if now < job.created_at + switches.lag_s or (job.deleted and not self.behaviour.delete.listed):
            return False
        if self.deviations.hidden == ("finished" if job.is_over(now) else "unfinished"):
            return False
        name, actual = query.get("name"), job.name
        if name and self.deviations.name_filter == "matches_nothing":
            return False
        if name and not (name in actual if switches.name_filter == "substring" else name == actual):
            return False
        wanted = {key: query[key] for key in ("id", "type", "status") if query.get(key)}
        return not wanted or all(self._view.row(job, now)[key] == value for key, value in wanted.items())

    def _keep(self, job: SimulatedJob) -> None:
        job.name = stored_name(job.name, self.deviations)
        self.jobs[job.job_id] = job
        self._names.add(str(job.request["name"]))
        for task in job.tasks:
            self._busy[task.server_id] = job

    def _add_foreign_jobs(self) -> None:
        for number in range(self.behaviour.listing.foreign_jobs):
            request = {
                "name": f"someone-elses-{number}",
                "type": "COMMON",
                "items": [],
                "server_ids": [str(uuid.UUID(int=number))],
            }
            self._keep(self._factory.make(request, 0.0, set(), set()))


def _is_item(item: object) -> bool:
    if not isinstance(item, dict) or not isinstance(item.get("type"), str):
        return False
    spec = item.get("spec", {})
    return isinstance(spec, dict) and all(isinstance(value, str) for value in spec.values())


def _invalid_description(body: JsonMapping, *, strict: bool) -> str | None:
    description = body.get("description")
    if description is None:
        return None
    fits = isinstance(description, str) and len(description) <= _LONGEST_DESCRIPTION
    return None if fits and (not strict or _TOKEN.fullmatch(description)) else "Invalid description."
