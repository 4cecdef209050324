"""The programs of checks: found beside the jobspec, missed before anything is sent, and part of what was approved."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import SIMULATED, Program
from tests.cli.rollouts import WAVES, decisions, given, operated, report, with_rollout
from tests.cli.serving import StartSimulator

CHECK = 'checks: [{name: health, command: [./check.sh, "{{ wave.name }}"]}]'
REGION = ("--region", "r-1")


def script(path: Path, text: str = "echo well, $1", mode: int = 0o755) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(mode)
    return path


def with_check(program: Program, check: str = CHECK) -> None:
    with_rollout(program, WAVES, check)


def planned(program: Program, jobspec: str = "job.yaml", name: str = "plan.json") -> dict[str, Any]:
    given(program, "plan", jobspec, *REGION, "-o", name)
    document: dict[str, Any] = json.loads((program.folder / name).read_text())
    return document


def test_a_relative_program_is_found_beside_the_jobspec(program: Program, simulator: StartSimulator) -> None:
    with_check(program)
    jobs = program.folder / "jobs"
    script(jobs / "check.sh")
    for name in ("job.yaml", "fleet.csv"):
        shutil.move(program.folder / name, jobs / name)
    given(program, "run", "jobs/job.yaml", "--endpoint", simulator())
    assert decisions(report(program)).count("check_passed") == 2
    # So it is by a plan that lies elsewhere, and in a run that is done again.
    planned(program, "jobs/job.yaml")
    given(program, "run", "plan.json", *SIMULATED)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("./check.sh", "there is no `./check.sh` in {folder}"),
        ("checks/health", "there is no `checks/health` in {folder}"),
        ("/no/such/check", "there is no `/no/such/check`"),
        ("no-such-program", "there is no program `no-such-program` on PATH"),
        ("./folder", "{folder}/folder is no file"),
        ("./plain.sh", "{folder}/plain.sh cannot be executed: chmod +x, if it is the right one"),
        ("'{{ wave.name }}.sh'", "there is no program `canary.sh` on PATH"),
    ],
)
def test_a_program_that_is_not_there_is_missed_before_anything_is_sent(
    program: Program, command: str, says: str
) -> None:
    (program.folder / "folder").mkdir()
    script(program.folder / "plain.sh", mode=0o644)
    with_check(program, f"checks: [{{name: health, command: [{command}]}}]")
    said = f"{program.jobspec}:21:37: rollout.checks[0].command[0]: check `health`: {says}\n  a path is relative to the"
    for how in (("validate",), ("plan",), ("run",), ("run", "--dry-run")):
        given(program, *how, str(program.jobspec), *REGION, code=2, says=said.format(folder=program.folder))
    assert json.loads(program("list", "--format", "json").stdout) == []


def test_all_that_are_not_there_are_said_at_once(program: Program) -> None:
    with_check(program, "checks: [{name: one, command: [./one.sh]}, {name: two, command: [./two.sh]}]")
    said = given(program, "validate", "job.yaml", *REGION, code=2)
    assert (said.count("one.sh"), said.count("two.sh")) == (1, 1)  # not for each wave again


def test_a_plan_is_carried_out_only_where_its_programs_are(program: Program) -> None:
    with_check(program)
    check = script(program.folder / "check.sh")
    planned(program)
    check.unlink()
    says = f"rollout.checks: check `health`: there is no `./check.sh` in {program.folder}"
    given(program, "run", "plan.json", "--simulate", code=2, says=says)
    script(check, "exit 0 # for sure")
    given(program, "run", "plan.json", "--simulate", code=6, says=f"{check} was changed after the plan was made")
    script(check, mode=0o644)
    given(program, "run", "plan.json", "--simulate", code=2, says=f"{check} cannot be executed")
    check.chmod(0o755)
    given(program, "run", "plan.json", *SIMULATED)


def test_where_the_program_lies_is_not_in_the_hash_and_what_it_is_is(program: Program) -> None:
    with_check(program)
    script(program.folder / "check.sh")
    here = planned(program)
    there = program.folder / "there"
    there.mkdir()
    for name in ("job.yaml", "fleet.csv", "check.sh"):
        shutil.copy(program.folder / name, there / name)
    moved = planned(program, "there/job.yaml", "moved.json")
    assert moved["plan_hash"] == here["plan_hash"]
    assert moved["rollout"]["waves"][0]["checks"][0]["folder"] == str(there)
    given(program, "diff", "plan.json", "moved.json")
    script(there / "check.sh", "exit 0")
    other = planned(program, "there/job.yaml", "other.json")
    assert other["plan_hash"] != here["plan_hash"]
    given(program, "diff", "plan.json", "other.json", code=3, says="fingerprint")


def test_a_program_of_the_machine_is_not_part_of_the_plan(program: Program) -> None:
    with_check(program, "checks: [{name: one, command: [sh, -c, x]}, {name: two, command: [/bin/sh, -c, x]}]")
    (one, two) = planned(program)["rollout"]["waves"][0]["checks"]
    assert not {"folder", "fingerprint"} & (one.keys() | two.keys())


def test_a_plan_that_names_another_folder_is_refused_with_its_program(program: Program) -> None:
    """The folder is not hashed: what would be run there must be the same program, or something else was approved."""
    with_check(program)
    script(program.folder / "check.sh")
    document = planned(program)
    script(program.folder / "evil" / "check.sh", "touch done")
    for wave in document["rollout"]["waves"]:
        wave["checks"][0]["folder"] = str(program.folder / "evil")
    (program.folder / "plan.json").write_text(json.dumps(document))
    hashed = ("--require-hash", document["plan_hash"])
    given(program, "run", "plan.json", "--simulate", *hashed, code=6, says="was changed after the plan was made")
    for folder in (5, None):
        document["rollout"]["waves"][0]["checks"][0]["folder"] = folder
        (program.folder / "plan.json").write_text(json.dumps(document))
        says = f"not a plan of runner/plan/v1: the folder of a check is {folder}"
        given(program, "run", "plan.json", "--simulate", code=2, says=says)
    assert not (program.folder / "done").exists()


def test_a_variable_that_a_check_asks_for_must_be_there(program: Program) -> None:
    asks = 'checks: [{name: health, command: [sh, -c, "test -n \\"$GRAFANA_TOKEN\\""], env: [GRAFANA_TOKEN]}]'
    with_check(program, asks)
    planned(program)  # on another machine it need not be
    says = "rollout.checks: check `health`: the variable GRAFANA_TOKEN is not in the environment"
    given(program, "run", "plan.json", "--simulate", code=2, says=says)
    program.env["GRAFANA_TOKEN"] = "glsa_value"
    given(program, "run", "plan.json", *SIMULATED)
    assert "glsa_value" not in (program.folder / "plan.json").read_text()


@pytest.mark.parametrize(
    ("check", "says"),
    [
        (
            "{name: a, http: http://h/, env: [X]}",
            "job.yaml:21:12: rollout.checks[0]: check `a`: `env` is for a command",
        ),
        ("{name: a, command: [x], env: [A-B]}", "rollout.checks[0].env[0]: 'A-B' is no name of a variable; expected"),
        (r'{name: "a\e[2J", command: [x]}', r"rollout.checks[0].name: 'a\x1b[2J' is no name for reports; expected"),
        ("{name: a, command: [x], env: X}", "rollout.checks[0].env: expected a list, found the text 'X'"),
    ],
)
def test_a_mistake_in_what_a_check_asks_for(program: Program, check: str, says: str) -> None:
    with_check(program, f"checks: [{check}]")
    given(program, "validate", "job.yaml", *REGION, code=2, says=says)


@pytest.mark.process
def test_a_program_is_repaired_while_its_run_waits_and_the_run_is_resumed_and_retried(
    program: Program, simulator: StartSimulator
) -> None:
    failing = "throttle: {creates: null, reads: null}\ntasks: {duration_s: 0.3, failing_servers: [id-7]}\n"
    with_check(program)
    check = script(program.folder / "check.sh", "exit 1")
    with operated(program, "run", "job.yaml", "--endpoint", simulator(failing)) as run:
        run.until("held", rule="check")
        run.process.send_signal(signal.SIGINT)
        run.ends(5)
    script(check)
    given(program, "continue", "last", says="continue noted")
    given(program, "resume", "last", code=3)
    given(program, "retry", "last", "--no-wait-for-person", code=5)  # it fails again
    check.unlink()
    says = f"rollout.checks: check `health`: there is no `./check.sh` in {program.folder}"
    given(program, "retry", "last", code=2, says=says)
