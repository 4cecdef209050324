"""Requests that a run gave up on, and whose jobs show later: no other run makes a second one.

The service is asked which server got which job.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime

import pytest

from runner.engine.clock import SystemClock
from tests.cli.conftest import BEHAVIOUR, JOBSPEC, Program
from tests.cli.rollouts import given
from tests.cli.serving import StartSimulator
from tests.cli.test_families import report, runs

ALL = Counter(f"id-{number}" for number in range(8))
NONE: Counter[str] = Counter()
# One request, which is not tried again; jobs are listed late. A second job on a server would be made, and show.
ONCE = JOBSPEC.replace("servers_per_job: 2", "servers_per_job: 8").replace("settle: 1s", "settle: 1s, attempts: 1")
LATE = (
    BEHAVIOUR.replace("lag_s: 0", "lag_s: 100").replace("duration_s: 0.3", "duration_s: 1000")
    + "servers: {busy: queue}\nauth: {skew_s: 100000}\n"
)
MADE, NOT_MADE = (f"faults: {{script: {{1: {{kind: reset, executed: {made}}}}}}}\n" for made in ("true", "false"))
UNPROVEN = "the list does not tell how many jobs there are"


class Hasty(SystemClock):
    """The machine's clocks, for those who do not sleep long."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(min(seconds, 0.02))


@pytest.fixture
def program(program: Program) -> Program:
    program.jobspec.write_text(ONCE)
    program.clock = Hasty()
    return program


def jobs_of(simulator: StartSimulator) -> Counter[str]:
    """How many jobs each server was in, whether they are listed or not."""
    return Counter(task.server_id for job in simulator.jobs.values() for task in job.tasks)


def given_up(program: Program, url: str) -> str:
    """A run that gave up on its one request: it ends with exit 3, and its servers are unknown. Its id."""
    given(program, "run", str(program.jobspec), "--endpoint", url, code=3, says="8 UNKNOWN")
    run = runs(program)[0]
    assert (run["state"], report(program, run["id"])["jobs"][0]["state"]) == ("finished", "given_up")
    (lock,) = json.loads(program("locks", "--format", "json").stdout)
    held_s = datetime.fromisoformat(lock["until"]).timestamp() - datetime.now(UTC).timestamp()
    assert (lock["id"], lock["servers"]) == (run["id"], 8)
    assert 7100.0 < held_s <= 7200.0
    return str(run["id"])


def test_the_job_of_a_request_that_was_given_up_shows_later_and_is_not_made_again(
    program: Program, simulator: StartSimulator
) -> None:
    url = simulator(LATE + MADE, lasting=True)
    first = given_up(program, url)
    simulator.pass_time(600.0)
    job_id = next(iter(simulator.jobs))
    at_work = f"run {first} is at work on id-0, id-1, id-2 and 5 more: job {job_id} shows PROCESSING"
    given(program, "retry", first, code=2, says=at_work)
    refused = given(
        program, "run", str(program.jobspec), "--endpoint", url, code=6, says=f"job {job_id} shows PROCESSING"
    )
    assert f"run {first} is at work on id-0, id-1, id-2 and 5 more, as far as is known; it holds them until" in refused
    assert f"runner locks --release {first}" in refused
    simulator.pass_time(600.0)
    given(program, "retry", first, code=2, says=f"no server of {first} is failed or timed_out or unknown")
    assert jobs_of(simulator) == ALL


def test_what_failed_in_a_job_that_shows_later_is_done_again(program: Program, simulator: StartSimulator) -> None:
    failing = LATE.replace("duration_s: 1000", "duration_s: 1000, failing_servers: [id-3]")
    url = simulator(failing + MADE, lasting=True)
    first = given_up(program, url)
    simulator.pass_time(2000.0)
    shown = given(program, "retry", first, "--dry-run")
    assert "1 of 1" in shown
    given(program, "retry", first, "-o", "again.json")
    given(program, "run", "again.json", "--no-wait", says=f"nothing of run {first} works on id-3 any more: taken over")
    assert jobs_of(simulator) == ALL + Counter(["id-3"])


@pytest.mark.parametrize("again", ["retry", "run"])
def test_a_request_that_made_no_job_as_a_list_proves_is_sent_again_by_another_run(
    program: Program, simulator: StartSimulator, again: str
) -> None:
    url = simulator(LATE + NOT_MADE, lasting=True)
    first = given_up(program, url)
    assert jobs_of(simulator) == NONE
    simulator.pass_time(600.0)
    if again == "run":
        said = program("run", str(program.jobspec), "--endpoint", url, "--no-wait")
    else:
        given(program, "retry", first, "-o", "again.json")
        said = program("run", "again.json", "--no-wait")
    assert said.returncode == 0, said.stdout + said.stderr
    assert f"nothing of run {first} works on id-0, id-1, id-2 and 5 more any more: taken over" in said.stderr
    assert jobs_of(simulator) == ALL


@pytest.mark.parametrize("made", [MADE, NOT_MADE])
def test_where_the_list_proves_nothing_another_run_is_refused_and_told_why(
    program: Program, simulator: StartSimulator, made: str
) -> None:
    url = simulator(LATE + made, lasting=True)
    first = given_up(program, url)
    before = len(simulator.jobs)
    simulator.deviates(total="missing")
    given(
        program,
        "retry",
        first,
        code=6,
        says=f"whether run {first} is at work on id-0, id-1, id-2 and 5 more: {UNPROVEN}",
    )
    given(program, "run", str(program.jobspec), "--endpoint", url, code=6, says=UNPROVEN)
    given(program, "retry", first, "--no-look", code=6, says=f"runner locks --release {first}")
    assert len(simulator.jobs) == before
    given(program, "locks", "--release", first)
    given(program, "retry", first, "--only", "failed", code=2, says="no server of")
    given(program, "run", str(program.jobspec), "--endpoint", url, "--no-wait")
    assert len(simulator.jobs) == before + 1


def test_a_run_that_is_gone_on_with_looks_first_for_what_another_run_gave_up_on(
    program: Program, simulator: StartSimulator
) -> None:
    url = simulator(LATE + "faults: {creates: 1.0, kinds: [reset], executed: 1.0}\n", lasting=True)
    program.env["HUAWEICLOUD_SDK_SK"] = "wrong"
    given(program, "run", str(program.jobspec), "--endpoint", url, code=7)
    program.env["HUAWEICLOUD_SDK_SK"] = "SIMULATORSK"
    (first,) = runs(program)
    second = given_up(program, url)
    simulator.pass_time(600.0)
    refused = given(program, "resume", first["id"], code=6, says=f"run {second} is at work on id-0")
    assert "shows PROCESSING" in refused
    assert jobs_of(simulator) == ALL


def test_a_job_that_shows_before_the_run_ends_is_told_of_and_looked_at_by_a_retry(
    program: Program, simulator: StartSimulator
) -> None:
    """Found by the last look of the run: its servers have a job that it does not watch."""
    url = simulator(LATE.replace("lag_s: 100", "lag_s: 0") + MADE, lasting=True)
    simulator.deviates(hidden="unfinished")
    first = given_up(program, url)
    simulator.deviates()
    given(program, "retry", first, code=2, says="is at work on")
    assert jobs_of(simulator) == ALL
