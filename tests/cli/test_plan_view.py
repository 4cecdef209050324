"""What a reviewer of a plan sees, in each form; and that what was approved can be rehearsed before it is done."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from runner.plan.codec import plan_from_json
from tests.cli.conftest import JOBSPEC, Program
from tests.cli.serving import StartSimulator

VERSIONS = JOBSPEC.replace(
    '  - name: all\n    select: "true"\n',
    """\
  - {name: canary, select: 'labels.role == "canary"', vars: {version: 24.1.rc3.10}}
  - {name: training, select: 'labels.role == "training"', vars: {version: 24.1.rc3.11}}
""",
).replace('{version: "1.0"}', '{version: "{{ vars.version }}", reboot: true}')
ROLLOUT = """\
rollout:
  waves: [{name: canary, groups: [canary], approve: true}, {name: ramp, sizes: [30%, rest], soak: 1m}]
  checks: [{name: training healthy, command: ["true"], attempts: 3}]
  budget: {max_abnormal: 10%, per: {labels.rack: 4}}
"""


@pytest.fixture
def campaign(program: Program) -> Program:
    program.jobspec.write_text(VERSIONS + ROLLOUT)
    rows = [f"id-{i},server-{i},{'canary' if i < 4 else 'training'},r{i // 10}\n" for i in range(100)]
    (program.folder / "fleet.csv").write_text("id,name,role,rack\n" + "".join(rows))
    program.env["HUAWEICLOUD_SDK_REGION"] = "r"
    return program


def shown(program: Program, *arguments: str) -> str:
    done = program("plan", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_what_is_sent_is_told_with_how_it_differs_between_groups(campaign: Program) -> None:
    said = shown(campaign, "job.yaml", "--region", "r")
    assert "step upgrade sends to 100 servers:" in said
    assert "items[0].spec.version canary 24.1.rc3.10 (4), training 24.1.rc3.11 (96)\n" in said
    assert re.search(r'items\[0\].spec.reboot +"true"\n', said)
    assert re.search(r"wave +servers +requests +rack +role +earliest +gate after it\n", said)
    assert re.search(r"canary +4 +2 +1 +canary 4 +\+0s +check training healthy, approval\n", said)
    assert "training healthy true; 5m each time at most, up to 3 times\n" in said
    assert re.search(r"10% fail +stopped.*, after about \d+ servers; about \d+ servers fail\n", said)


def test_its_last_lines_carry_out_exactly_what_was_shown(campaign: Program) -> None:
    said = shown(campaign, "job.yaml", "--region", "r", "-o", "my plan.json")
    command = next(line for line in said.splitlines() if line.startswith("runner run "))
    assert command in shown(campaign, "my plan.json")
    _, *arguments = shlex.split(command)
    assert campaign(*arguments, "--simulate", "--no-wait-for-person").returncode == 5
    shown(campaign, "job.yaml", "--region", "other", "-o", "my plan.json")
    assert campaign(*arguments, "--simulate").returncode == 6


def test_a_plan_that_is_nowhere_says_how_to_keep_it(campaign: Program) -> None:
    said = shown(campaign, "job.yaml", "--region", "r")
    assert "write it with `-o plan.json`; then:\nrunner run plan.json --require-hash sha256:" in said


def test_for_a_merge_request_and_a_browser(campaign: Program) -> None:
    campaign.jobspec.write_text(campaign.jobspec.read_text() + 'description: "<img src=x> @all [a](b)"\n')
    marked = shown(campaign, "job.yaml", "--region", "r", "--format", "markdown")
    assert marked.startswith("## Plan of test\n")
    assert r"| campaign | test: \<img src=x\> \@all \[a\](b) |" in marked
    assert r"| items\[0\].spec.version | canary 24.1.rc3.10 (4), training 24.1.rc3.11 (96) |" in marked
    page = shown(campaign, "job.yaml", "--region", "r", "--format", "html")
    assert page.startswith("<!doctype html>")
    assert "&lt;img src=x&gt; @all" in page
    assert "http" not in page.replace("http-equiv", "")


@pytest.mark.parametrize("output_format", ["json", "markdown", "html"])
def test_two_results_on_one_stream_are_refused(campaign: Program, output_format: str) -> None:
    done = campaign("plan", "job.yaml", "--region", "r", "-o", "-", "--format", output_format)
    assert (done.returncode, f"-o - and --format {output_format} would both" in done.stderr) == (2, True)


def test_many_groups_are_told_by_value(program: Program) -> None:
    split = VERSIONS.replace("vars: {version: 24.1.rc3.11}", "vars: {version: 24.1.rc3.11}, split_by: labels.rack")
    program.jobspec.write_text(split)
    rows = [f"id-{i},server-{i},{'canary' if i < 4 else 'training'},r{i // 10}\n" for i in range(100)]
    (program.folder / "fleet.csv").write_text("id,name,role,rack\n" + "".join(rows))
    said = shown(program, "job.yaml", "--region", "r")
    assert "items[0].spec.version 24.1.rc3.11 (96), 24.1.rc3.10 (4)\n" in said


def test_an_approved_plan_is_rehearsed_on_this_machine_and_nowhere_else(
    campaign: Program, simulator: StartSimulator
) -> None:
    campaign.jobspec.write_text(VERSIONS)
    shown(campaign, "job.yaml", "--region", "r", "-o", "plan.json")
    approved = plan_from_json((campaign.folder / "plan.json").read_bytes(), "plan.json").plan_hash
    run = campaign("run", "plan.json", "--endpoint", simulator(), "--require-hash", approved, "--report", "r.json")
    assert run.returncode == 0, run.stderr
    report = json.loads((campaign.folder / "r.json").read_text())
    assert report["counts"]["succeeded"] == 100
    assert report["run"]["plan_hash"] != approved
    assert campaign("verify", "last").returncode == 0

    for arguments in (("run",), ("plan",), ("validate",)):
        away = campaign(*arguments, "plan.json", "--endpoint", "https://modelarts.example.com")
        assert away.returncode == 2
        assert "rehearsed on this machine, and not at https://modelarts.example.com" in away.stderr
