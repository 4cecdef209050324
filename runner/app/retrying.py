"""Which servers of earlier runs are to be done again, and the whole family of a campaign's runs in one."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

from runner import __version__
from runner.app.history import open_store, stored_plan, stored_run
from runner.app.programs import with_programs_of_now
from runner.errors import InvalidInput, Problem, RefusedToStart
from runner.model import Outcome
from runner.plan.retry import Parent, retry_plan
from runner.rules.answers import ReadFailed
from runner.rules.outcomes import OUTCOME, Ending, is_finished, outcome_letters

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from runner.journal.store import RunRow, RunStore
    from runner.plan.plan import Plan
    from runner.report.fold import Report

DEFAULT_OUTCOMES = (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.UNKNOWN)
_WORTH_A_LOOK = {Outcome.TIMED_OUT.value, Outcome.UNKNOWN.value}
_AT_WORK = "at_work"  # no outcome: its job is not over, so it must not get another one
LINEAGE_VERSION = "runner/lineage/v1"


class _Standing(NamedTuple):
    """How a server came out of the last run that had it, and the step that it did not get through (or the last)."""

    outcome: str
    step: int


def plan_retry(
    state_dir: Path, texts: Sequence[str], only: Collection[str], *, look: bool, ca_bundle: Path | None
) -> Plan:
    """Plan to do again those servers of the runs whose newest outcome is one of `only`.

    With `look`, the jobs of servers that timed out or are unknown are read once more first. A later run of the same
    campaign counts, too: a server that succeeded since is left out.

    Raises:
        InvalidInput: there is no such run, or no such server in them.
        RefusedToStart: one of the runs goes on, or a job cannot be looked at.
    """
    with open_store(state_dir) as store:
        asked = {store.resolve(text) for text in texts}
        rows = [row for row in reversed(store.runs()) if _counts(row, asked, store)]
        plans = {row.id: stored_plan(store, row.id) for row in rows}
        standings: dict[str, _Standing] = {}
        newest_asked: dict[str, str] = {}
        for row in rows:
            if row.id in asked and row.owner is not None:
                raise RefusedToStart(f"run {row.id} is not over", hint="wait for it, or resume it")
            report = stored_run(store, row.id, state_dir, plans[row.id]).report
            if look and row.id in asked and not report["run"]["simulated"]:
                _look_again(plans[row.id], report, ca_bundle)
            theirs = _standings(plans[row.id], report)
            standings |= theirs
            if row.id in asked:
                newest_asked |= dict.fromkeys(theirs, row.id)
    parents = [
        Parent(row.id, plans[row.id], _again(row.id, newest_asked, standings, only)) for row in rows if row.id in asked
    ]
    parents = [parent for parent in parents if parent.again]
    if not parents:
        raise InvalidInput(Problem(f"no server of {', '.join(sorted(asked))} is {' or '.join(only)}"))
    return with_programs_of_now(retry_plan(parents, time.time(), __version__), os.environ)


def _counts(row: RunRow, asked: Collection[str], store: RunStore) -> bool:
    if row.id in asked:
        return True
    others = [other for other in store.runs() if other.id in asked]
    return any(row.campaign == other.campaign and row.started_at > other.started_at for other in others)


def _standings(plan: Plan, report: Report) -> dict[str, _Standing]:
    return {
        task["server_id"]: _Standing(task["outcome"], plan.steps.index(job["step"]))
        for job in report["jobs"]
        if job["purpose"] == "change"
        for task in job["tasks"]
    }


def _again(
    run_id: str, newest_asked: Mapping[str, str], standings: Mapping[str, _Standing], only: Collection[str]
) -> dict[str, int]:
    """The servers to do again with the plan of a run: those that none of the other runs asked for had later."""
    return {
        server: standings[server].step
        for server, run in newest_asked.items()
        if run == run_id and standings[server].outcome in only
    }


def _look_again(plan: Plan, report: Report, ca_bundle: Path | None) -> None:
    """Bring the outcomes in a report up to date with what the service says now."""
    open_jobs = [
        job
        for job in report["jobs"]
        if job["job_id"] and any(task["outcome"] in _WORTH_A_LOOK for task in job["tasks"])
    ]
    if open_jobs:
        asyncio.run(_read_again(plan, open_jobs, ca_bundle))


async def _read_again(plan: Plan, open_jobs: list[dict[str, Any]], ca_bundle: Path | None) -> None:
    from runner.app.services import open_lane_services  # noqa: PLC0415  brings aiohttp, which takes long to import

    async with AsyncExitStack() as stack:
        services = await open_lane_services(stack, plan, None, ca_bundle, str)
        lanes = {group.name: group.lane for group in plan.groups}
        for shown in open_jobs:
            job = await services[lanes[shown["group"]]].get(shown["job_id"])
            server_ids = [task["server_id"] for task in shown["tasks"]]
            if isinstance(job, ReadFailed):
                raise RefusedToStart(
                    f"job {shown['job_id']} cannot be looked at: {job.error.message}",
                    hint="try again; with --no-look its servers are taken as the run left them",
                )
            letters = outcome_letters(server_ids, job, Ending.FINISHED) if is_finished(job, server_ids) else None
            for place, task in enumerate(shown["tasks"]):
                task["outcome"] = OUTCOME[letters[place]].value if letters else _AT_WORK


def lineage(state_dir: Path, text: str) -> dict[str, Any]:
    """The family of a run, its ancestors and whatever was retried from any of them, folded into one."""
    with open_store(state_dir) as store:
        asked = store.resolve(text)
        rows = list(reversed(store.runs()))
        plans = {row.id: stored_plan(store, row.id) for row in rows}
        family = _family(asked, {run_id: plan.parents for run_id, plan in plans.items()})
        runs: list[dict[str, Any]] = []
        servers: dict[str, dict[str, Any]] = {}
        for row in rows:
            if row.id in family:
                report = stored_run(store, row.id, state_dir, plans[row.id]).report
                runs.append({**report["run"], "parents": list(plans[row.id].parents), "counts": report["counts"]})
                servers |= _servers(row.id, report)
    outcomes = Counter(server["outcome"] for server in servers.values())
    counts = {"servers": len(servers), **{outcome.value: outcomes[outcome.value] for outcome in Outcome}}
    abnormal = sum(outcomes[outcome.value] for outcome in Outcome if outcome.is_abnormal)
    return {
        "schema_version": LINEAGE_VERSION,
        "runs": runs,
        "counts": counts,
        "abnormal_count": abnormal,
        "servers": list(servers.values()),
    }


def _family(run_id: str, parents: dict[str, tuple[str, ...]]) -> set[str]:
    family = {run_id}
    while True:
        kin = {run for run, theirs in parents.items() if run in family or family.intersection(theirs)}
        kin |= {parent for run in kin for parent in parents[run] if parent in parents}
        if kin <= family:
            return family
        family |= kin


def _servers(run_id: str, report: Report) -> dict[str, dict[str, Any]]:
    return {
        task["server_id"]: {
            "server_id": task["server_id"],
            "server_name": task["server_name"],
            "outcome": task["outcome"],
            "step": job["step"],
            "run": run_id,
        }
        for job in report["jobs"]
        if job["purpose"] == "change"
        for task in job["tasks"]
    }
