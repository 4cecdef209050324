"""Plans compared by their hash, as a reviewer does it: planned again, elsewhere, later."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.cli.conftest import JOBSPEC, SIMULATED, Program
from tests.cli.processes import killed_after
from tests.cli.serving import StartSimulator
from tests.cli.test_runs import SLOW

MADE_BEFORE = Path(__file__).parents[1] / "goldens" / "plans"


def planned(program: Program, jobspec: str | Path, url: str, name: str) -> dict[str, Any]:
    result = program("plan", jobspec, "--endpoint", url, "-o", name)
    assert result.returncode == 0, result.stderr
    document: dict[str, Any] = json.loads((program.folder / name).read_text())
    return document


def test_a_jobspec_that_was_approved_as_a_plan_may_be_run_later(program: Program, simulator: StartSimulator) -> None:
    # A group without servers is a warning, which names the file.
    none = '  - {name: none, select: "false"}\n'
    program.jobspec.write_text(JOBSPEC.replace("groups:\n", "groups:\n" + none))
    url = simulator()
    one, other = planned(program, "job.yaml", url, "one.json"), planned(program, program.jobspec, url, "other.json")
    assert one["created_at"] != other["created_at"]
    assert one["summary"]["warnings"] != other["summary"]["warnings"]
    assert one["plan_hash"] == other["plan_hash"]
    run = program("run", program.jobspec, "--endpoint", url, "--require-hash", one["plan_hash"])
    assert run.returncode == 0, run.stderr
    assert program("diff", "one.json", "last").returncode == 0
    changed = program("run", program.jobspec, "--endpoint", url, "--require-hash", one["plan_hash"], "--limit", "true")
    assert changed.returncode == 0, changed.stderr
    less = program("run", program.jobspec, "--endpoint", url, "--require-hash", one["plan_hash"], "--limit", "false")
    assert (less.returncode, "is required" in less.stderr) == (6, True), less.stderr


def test_a_plan_made_in_another_folder_has_the_same_hash(program: Program) -> None:
    url = "http://127.0.0.1:1"
    here = planned(program, program.jobspec, url, "here.json")
    there = program.folder / "there"
    there.mkdir()
    for name in ("job.yaml", "fleet.csv"):
        shutil.copy(program.folder / name, there)
    assert planned(program, "there/job.yaml", url, "there.json")["plan_hash"] == here["plan_hash"]


def test_plans_made_before_are_run_and_verified(program: Program) -> None:
    program.env["TOKEN"] = "made-up-token"
    for name in ("oldest", "plain"):
        made = json.loads((MADE_BEFORE / f"{name}.json").read_text())
        run = program("run", MADE_BEFORE / f"{name}.json", *SIMULATED, "--require-hash", made["plan_hash"])
        assert run.returncode == 0, run.stderr
        verified = program("verify", "last")
        assert (verified.returncode, f"plan: {made['plan_hash']}" in verified.stdout) == (0, True), verified.stdout


@pytest.mark.process
def test_a_run_of_a_plan_made_before_is_resumed(program: Program, simulator: StartSimulator) -> None:
    made = planned(program, program.jobspec, simulator(SLOW, lasting=True), "plan.json")
    del made["plan_hash"]
    hashed = orjson.dumps(made, option=orjson.OPT_SORT_KEYS)  # with the time, as plans had it before
    made["plan_hash"] = "sha256:" + hashlib.sha256(hashed).hexdigest()
    (program.folder / "plan.json").write_text(json.dumps(made))
    killed_after(program.start("run", "plan.json", "-v"), 3)
    simulator.let_tasks_end()
    resumed = program("resume", "last")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(program("show", "last", "--format", "json").stdout)[0]["plan_hash"] == made["plan_hash"]
    assert program("verify", "last").returncode == 0
