"""A run, the runs that were retried from it, and what each may still touch: the simulator is asked which server got which job."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from runner.api.services import ServiceSettings, open_services
from runner.app.history import stored_plan
from runner.app.listing import open_store
from runner.model import Job, JobPage, Lane
from runner.plan.codec import plan_to_json
from runner.plan.digests import LaneServer
from runner.plan.retry import Parent, retry_plan
from tests.cli.conftest import BEHAVIOUR, Program
from tests.cli.rollouts import given, operated, with_rollout
from tests.cli.serving import StartSimulator

KEY = {"HUAWEICLOUD_SDK_AK": "SIMULATORAK", "HUAWEICLOUD_SDK_SK": "SIMULATORSK"}
# A server in another job is taken all the same: so that a second job would show.
MANNERS = BEHAVIOUR + "servers: {busy: queue}\n"
APPROVED = "waves: [{name: canary, groups: [canary], approve: true}, {name: main, groups: [main]}]"
CRON = ("--once-key", "once", "--no-wait-for-person")
MAIN = [f"id-{number}" for number in range(2, 8)]


async def _jobs(url: str) -> list[Job]:
    lane = Lane(None, url, "p")
    async with open_services([lane], ServiceSettings(KEY, Path("/nowhere"), time.time, str)) as lanes:
        service = lanes[lane].service
        page = await service.list(name=None, offset=0, limit=1000)
        assert isinstance(page, JobPage)
        jobs = [await service.get(row.job_id) for row in page.rows]
    return [job for job in jobs if isinstance(job, Job)]


def jobs_of_servers(url: str) -> Counter[str]:
    """How many jobs each server was in."""
    return Counter(task.server_id for job in asyncio.run(_jobs(url)) for task in job.tasks)


def runs(program: Program) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(program("list", "--format", "json").stdout)
    return rows


def report(program: Program, run: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(program("report", run, "--report", "-").stdout)
    return found


def stopped_after_the_canaries(program: Program, url: str) -> str:
    """A run of a cron line that has done two of its eight servers; its id. The next wave is approved."""
    with_rollout(program, APPROVED)
    stopped = program("run", program.jobspec, "--endpoint", url, *CRON)
    assert stopped.returncode == 5, stopped.stdout + stopped.stderr
    (run,) = runs(program)
    given(program, "approve", run["id"], "canary")
    return str(run["id"])


def retry_file(program: Program, run: str, servers: Collection[str], name: str = "again.json") -> Path:
    """A plan that does these servers of a run again."""
    with open_store(program.state) as store:
        plan = stored_plan(store, run)
    label = plan.lanes[0].label
    again = retry_plan([Parent(run, plan, {LaneServer(label, server): 0 for server in servers})], time.time(), "0")
    path = program.folder / name
    path.write_bytes(plan_to_json(again, readable=True))
    return path


def test_what_a_retry_has_done_is_left_out_when_the_cron_line_resumes_its_parent(
    program: Program, simulator: StartSimulator
) -> None:
    url = simulator(MANNERS)
    first = stopped_after_the_canaries(program, url)
    given(program, "retry", first, "--only", "not_started")
    assert jobs_of_servers(url) == Counter(f"id-{i}" for i in range(8))
    resumed = program("run", program.jobspec, "--endpoint", url, *CRON)
    assert jobs_of_servers(url) == Counter(f"id-{i}" for i in range(8))
    child = next(run["id"] for run in runs(program) if run["id"] != first)
    assert resumed.returncode == 3, resumed.stdout + resumed.stderr
    assert f"left out   6 servers of main: run {child} has taken or done them" in resumed.stdout
    assert "servers left out, another run of the family has them" in resumed.stderr
    found = report(program, first)
    assert (found["counts"]["succeeded"], found["counts"]["excluded"]) == (2, 6)
    said = next(decision for decision in found["decisions"] if decision["what"] == "leave_out")
    assert (said["who"], said["evidence"]) == ("runner", "6 servers of main")
    assert child in said["why"]
    given(program, "verify", first, says="entries fit together")


@pytest.mark.process
def test_a_parent_goes_on_with_the_rest_while_a_child_is_at_work(program: Program, simulator: StartSimulator) -> None:
    url = simulator(MANNERS.replace("duration_s: 0.3", "duration_s: 3"))
    first = stopped_after_the_canaries(program, url)
    again = retry_file(program, first, MAIN[:4])
    with operated(program, "run", str(again)) as child:
        child.until("run started")
        resumed = program("resume", first)
        child.ends(0)
    assert resumed.returncode == 3, resumed.stdout + resumed.stderr
    assert jobs_of_servers(url) == Counter(f"id-{i}" for i in range(8))
    assert report(program, first)["counts"]["succeeded"] == 4


@pytest.mark.process
def test_what_a_stopped_child_may_still_do_stays_its_own(program: Program, simulator: StartSimulator) -> None:
    url = simulator(MANNERS)
    first = stopped_after_the_canaries(program, url)
    again = retry_file(program, first, MAIN)
    # The child pauses before it sends anything, and its process is ended.
    with operated(program, "run", str(again), "--no-wait-for-person") as child:
        child.until("run started")
        child.killed()
    given(program, "locks", "--release", "last")
    given(program, "resume", first, code=3)
    assert set(jobs_of_servers(url).values()) == {1}
    given(program, "resume", "last", "--no-wait-for-person", code=0)
    assert jobs_of_servers(url) == Counter(f"id-{i}" for i in range(8))


def test_a_retry_that_was_planned_before_its_parent_went_on_does_only_what_is_left(
    program: Program, simulator: StartSimulator
) -> None:
    url = simulator(MANNERS)
    first = stopped_after_the_canaries(program, url)
    early = retry_file(program, first, MAIN)
    given(program, "resume", first, code=0)
    late = program("run", early)
    assert late.returncode == 3, late.stdout + late.stderr
    assert f"left out   6 servers of main: run {first} has taken or done them" in late.stdout
    assert jobs_of_servers(url) == Counter(f"id-{i}" for i in range(8))


@pytest.mark.process
def test_a_parent_that_is_at_work_is_not_retried(program: Program, simulator: StartSimulator) -> None:
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator(lasting=True)) as run:
        run.until("run started")
        given(program, "retry", "last", "--only", "not_started", code=6, says="is not over")
        simulator.let_tasks_end()
        run.ends(0)


FAILING = "throttle: {creates: null, reads: null}\ntasks: {duration_s: 0.3, failing_servers: [id-3, id-6]}\n"


def test_a_retry_of_a_rehearsal_is_one_and_cures_nothing(program: Program, simulator: StartSimulator) -> None:
    url = simulator(FAILING)
    given(program, "run", str(program.jobspec), "--endpoint", url, code=3)
    before = jobs_of_servers(url)
    (real,) = runs(program)
    (program.folder / "failing.yaml").write_text(FAILING)
    given(program, "plan", str(program.jobspec), "--endpoint", url, "-o", "plan.json")
    given(program, "run", "plan.json", "--behaviour", "failing.yaml", code=3)
    rehearsal = runs(program)[0]["id"]
    given(program, "retry", rehearsal, "-o", "again.json")
    given(program, "run", "again.json", code=6, says="was simulated")
    given(program, "retry", real["id"], rehearsal, code=2, says="some of the runs were simulated")
    given(program, "retry", rehearsal, says=", simulated")
    given(program, "retry", real["id"], "--simulate", says=", simulated")
    assert "2 of 2" in given(program, "retry", real["id"], "--dry-run")
    assert jobs_of_servers(url) == before
