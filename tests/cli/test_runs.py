"""Runs from start to report, stopped and killed on the way."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import BEHAVIOUR, JOBSPEC, ROOT, SIMULATED, Program
from tests.cli.processes import ended, killed_after, read_lines
from tests.cli.serving import StartSimulator

SLOW = BEHAVIOUR + "faults: {latency_s: 0.1}\n"


def report_of(program: Program) -> dict[str, Any]:
    (path,) = (program.state / "reports").iterdir()
    report: dict[str, Any] = json.loads(path.read_text())
    return report


def test_every_server_is_accounted_for(program: Program, simulator: StartSimulator) -> None:
    url = simulator("throttle: {creates: null, reads: null}\ntasks: {duration_s: 0.3, failing_servers: [id-3]}\n")
    result = program("run", program.jobspec, "--endpoint", url)
    assert result.returncode == 3, result.stderr
    report = report_of(program)
    assert report["counts"] == {
        "servers": 8, "succeeded": 7, "failed": 1, "skipped": 0, "timed_out": 0, "unknown": 0, "not_started": 0,
        "excluded": 0,
    }  # fmt: skip
    assert report["abnormal_count"] == 1
    assert report["run"]["exit_code"] == 3
    assert "1 FAILED: simulated: failed" in result.stdout


def test_a_report_written_again_is_the_same_bytes(program: Program) -> None:
    assert program("run", program.jobspec, *SIMULATED).returncode == 0
    (path,) = (program.state / "reports").iterdir()
    again = program("report", "last", "--report", "again.json")
    assert again.returncode == 0
    assert (program.folder / "again.json").read_bytes() == path.read_bytes()


def test_lists_and_details_for_machines(program: Program) -> None:
    assert program("run", program.jobspec, *SIMULATED, "-q").returncode == 0
    for command in (["list"], ["show", "last"]):
        (row,) = json.loads(program(*command, "--format", "json").stdout)
        assert row["state"] == "finished"
        assert row["counts"]["succeeded"] == 8
        assert {"id", "campaign", "plan_hash", "started_at"} <= row.keys()
    (plan,) = json.loads(program("plan", program.jobspec, "--region", "r-1", "--format", "json").stdout)
    assert (plan["state"], plan["counts"]["servers"]) == ("planned", 8)


def test_a_plan_file_runs_as_it_is(program: Program) -> None:
    assert program("plan", program.jobspec, "--region", "r-1", "-o", "plan.json").returncode == 0
    assert program("run", "plan.json", "--simulate").returncode == 0


def test_without_waiting_jobs_are_watched_later(program: Program, simulator: StartSimulator) -> None:
    result = program("run", program.jobspec, "--endpoint", simulator(), "--no-wait")
    assert result.returncode == 0, result.stderr
    assert report_of(program)["run"]["state"] == "submitted"
    result = program("resume", "last")
    assert result.returncode == 0, result.stderr
    assert report_of(program)["counts"]["succeeded"] == 8


@pytest.mark.process
def test_a_signal_stops_intake_and_the_run_goes_on_later(program: Program, simulator: StartSimulator) -> None:
    program.servers(60)
    process = program.start("run", program.jobspec, "--endpoint", simulator(SLOW, lasting=True))
    read_lines(process)
    process.send_signal(signal.SIGINT)
    code, out, err = ended(process)
    assert code == 5, err
    assert "runner resume" in out
    assert report_of(program)["run"]["state"] == "stopped"
    simulator.let_tasks_end()
    assert program("resume", "last").returncode == 0
    assert report_of(program)["counts"]["succeeded"] == 60


@pytest.mark.process
@pytest.mark.parametrize("lines", [1, 2, 4, 8])
def test_after_kill_9_nothing_is_done_twice_and_nothing_is_lost(
    program: Program, simulator: StartSimulator, lines: int
) -> None:
    program.servers(60)
    killed_after(program.start("run", program.jobspec, "--endpoint", simulator(SLOW, lasting=True), "-v"), lines)
    simulator.let_tasks_end()
    result = program("resume", "last")
    assert result.returncode == 0, result.stdout + result.stderr
    report = report_of(program)
    assert report["counts"]["succeeded"] == 60
    # The simulator refuses a server that is in another job, so a second job would show as a refusal or a conflict.
    assert Counter(job["state"] for job in report["jobs"]) == {"settled": 30}
    assert len({job["job_id"] for job in report["jobs"]}) == 30


@pytest.mark.process
def test_a_run_that_goes_on_cannot_be_resumed_beside_it_nor_its_servers_used(
    program: Program, simulator: StartSimulator
) -> None:
    url = simulator(lasting=True)
    process = program.start("run", program.jobspec, "--endpoint", url)
    read_lines(process)
    beside = program("resume", "last")
    assert (beside.returncode, "is being carried out by process" in beside.stderr) == (6, True)
    second = program("run", program.jobspec, "--endpoint", url)
    assert (second.returncode, "is at work on id-0, id-1, id-2 and 5 more" in second.stderr) == (6, True)
    simulator.let_tasks_end()
    assert ended(process)[0] == 0
    finished = program("resume", "last")
    assert (finished.returncode, "is finished" in finished.stderr) == (6, True)


def test_secrets_reach_the_service_and_nothing_else(program: Program) -> None:
    program.env["TOKEN"] = "s3cr3t-value"
    program.jobspec.write_text(JOBSPEC.replace('version: "1.0"', 'version: "x-{{ secret.TOKEN }}"'))
    shown = program("plan", program.jobspec, "--region", "r-1", "-o", "plan.json").stdout
    assert '"version": "x-***"' in shown
    result = program("run", program.jobspec, *SIMULATED, "-v")
    assert result.returncode == 0
    files = [path.read_bytes() for path in program.folder.rglob("*") if path.is_file()]
    assert b"s3cr3t-value" not in b"".join(files) + result.stdout.encode() + result.stderr.encode() + shown.encode()


@pytest.mark.process
def test_the_simulator_of_the_command_line_is_the_one_of_the_tests(program: Program) -> None:
    serving = program.start("simulate", "--port", "0", *SIMULATED)
    assert serving.stdout is not None
    said = serving.stdout.readline()
    url = next(word for word in said.split() if word.startswith("http://"))
    assert "SIMULATORAK / SIMULATORSK" in said
    assert program("run", program.jobspec, "--endpoint", url).returncode == 0
    serving.send_signal(signal.SIGINT)
    assert ended(serving) == (5, "", "\ninterrupted: nothing more is done\n")


@pytest.mark.parametrize("jobspec", sorted((ROOT / "jobspecs").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_ready_jobspec_runs(program: Program, jobspec: Path) -> None:
    program.env["REGISTRY_TOKEN"] = "made-up-token"
    fast = program.folder / "jobspec.yaml"
    text = jobspec.read_text().replace("rate: 10/m", "rate: 50/s").replace("inventory: fleet.csv", "")
    fast.write_text(text)
    fleet = ROOT / "jobspecs" / "fleet.csv"
    result = program("run", fast, "-i", fleet, *SIMULATED)
    assert result.returncode == 0, result.stderr
    assert report_of(program)["abnormal_count"] == 0
