"""`runner validate` shows the mistakes of all files in one go, takes plans, and says what it did not check."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import JOBSPEC, ROOT, Program

REGION = ("--region", "cn-north-9")
SERVICE = "the service: credentials, endpoint, project, and whether it knows the servers (no network)"
TEMPLATES = "types and parameters: no templates of the service are saved (runner templates --save, or --online)"
VARIABLES = "other values of variables: none are given with -e or --vars-file"
FOLLOWS = "which servers the groups have, the requests, and the programs of checks: they follow from what is wrong"


def validated(program: Program, *arguments: str | Path, code: int) -> tuple[list[str], str]:
    """What it did not check, and what it says is wrong."""
    result = program("validate", *arguments)
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    _, _, unchecked = result.stdout.partition("not checked:\n")
    return [line.strip() for line in unchecked.splitlines()], result.stderr


def places(said: str) -> list[str]:
    """The places of all that is wrong, without their folders."""
    return re.findall(r"(?m)^(?:error: )?(?:\S*/)?([a-z]+\.[a-z]+(?::\d+)*)", said)


def test_a_jobspec_that_is_valid(program: Program) -> None:
    result = program("validate", program.jobspec, *REGION)
    assert result.returncode == 0
    assert result.stdout.splitlines() == [
        f"{program.jobspec}: valid, 8 servers in 1 groups, 4 requests",
        "not checked:",
        f"  {TEMPLATES}",
        f"  {SERVICE}",
        f"  {VARIABLES}",
    ]
    assert validated(program, program.jobspec, *REGION, "-e", "v=1", "--allow-new-vars", code=0)[0] == [
        TEMPLATES,
        SERVICE,
    ]


def test_mistakes_of_shape_variables_and_inventory_are_said_at_once(program: Program) -> None:
    program.jobspec.write_text(
        JOBSPEC.replace("groups:", "grups:").replace("rate: unlimited, settle", "rate: 5, settle")
    )
    (program.folder / "vars.yaml").write_text("a: 1\nb: !vault x\n")
    (program.folder / "fleet.csv").write_text("id,name\nbad id,x\na,b\na,c\n")
    unchecked, said = validated(program, program.jobspec, *REGION, "--vars-file", "vars.yaml", code=2)
    assert places(said) == ["job.yaml:1:1", "job.yaml:6:1", "job.yaml:17:16", "vars.yaml:2:4", "fleet.csv:2"]
    assert unchecked == [FOLLOWS, SERVICE]


def test_an_inventory_is_read_though_the_jobspec_is_no_yaml(program: Program) -> None:
    program.jobspec.write_text("a: [\n")
    (program.folder / "f.csv").write_text("name\nx\n")
    unchecked, said = validated(program, program.jobspec, "-i", "f.csv", code=2)
    assert places(said) == ["job.yaml:2:1", "f.csv:1"]
    assert unchecked == [FOLLOWS, SERVICE, VARIABLES]


def test_wrong_values_of_one_stage_do_not_hide_those_of_the_next(program: Program) -> None:
    text = JOBSPEC.replace("job_name: hdk", "job_name: has space").replace('"1.0"', '"{{ nobody }}"')
    program.jobspec.write_text(text.replace("name: test", 'name: test\ndescription: "{{ no_one }}"'))
    _, said = validated(program, program.jobspec, *REGION, code=2)
    assert places(said) == ["job.yaml:3:14", "job.yaml:13:15", "job.yaml:17:25"]


def test_groups_that_do_not_go_together_hide_only_what_follows_from_them(program: Program) -> None:
    text = JOBSPEC.replace('select: "true"', "select: labels.ring ==")
    program.jobspec.write_text(text.replace("job_name: hdk", 'job_name: "{{ x | }}"'))
    (program.folder / "fleet.csv").write_text("id\nbad id\n")
    unchecked, said = validated(program, program.jobspec, *REGION, code=2)
    assert places(said) == ["job.yaml:8:13", "job.yaml:12:15", "fleet.csv:2"]
    assert unchecked == [FOLLOWS, SERVICE, VARIABLES]


def test_a_window_and_a_program_are_both_looked_at(program: Program) -> None:
    rollout = "window: {allow: ['Sat 01:00-01:10']}, checks: [{name: c, command: [no-such-program]}]"
    program.jobspec.write_text(JOBSPEC + f"rollout: {{{rollout}}}\n")
    _, said = validated(program, program.jobspec, *REGION, code=2)
    assert "no window is long enough" in said
    assert "there is no program `no-such-program` on PATH" in said


def test_run_and_plan_say_the_same(program: Program) -> None:
    program.jobspec.write_text(JOBSPEC.replace("groups:", "grups:"))
    (program.folder / "fleet.csv").write_text("id\nbad id\n")
    _, said = validated(program, program.jobspec, *REGION, code=2)
    for command in ("plan", "run"):
        result = program(command, program.jobspec, *REGION)
        assert (result.returncode, result.stderr) == (2, said)


def test_secrets_that_are_not_here(program: Program) -> None:
    program.jobspec.write_text(JOBSPEC.replace('"1.0"', '"{{ secret.TOKEN }}"'))
    assert "secrets: TOKEN not in this environment" in validated(program, program.jobspec, *REGION, code=0)[0]
    program.env["TOKEN"] = "x"
    assert validated(program, program.jobspec, *REGION, code=0)[0] == [TEMPLATES, SERVICE, VARIABLES]


@pytest.mark.parametrize("name", ["plan.json", "plan", "approved.plan"])
def test_a_plan_is_one_whatever_it_is_called(program: Program, name: str) -> None:
    assert program("plan", program.jobspec, *REGION, "-o", name).returncode == 0
    result = program("validate", name)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[0] == f"{name}: valid, 8 servers in 1 groups, 4 requests"
    assert validated(program, name, code=0)[0] == [
        SERVICE,
        "whether the servers of the plan are still there: no inventory is given with -i",
    ]
    assert validated(program, name, "-i", "fleet.csv", code=0)[0] == [SERVICE]
    shown, made = (program("plan", *given).stdout for given in ((name,), (program.jobspec, *REGION)))
    assert shown.partition("to do exactly this")[0] == made.partition("to do exactly this")[0]
    assert program("run", name, "--simulate", "--dry-run").returncode == 0


def test_a_plan_written_anew_by_another_program_is_one(program: Program) -> None:
    assert program("plan", program.jobspec, *REGION, "-o", "plan.json").returncode == 0
    path = program.folder / "plan.json"
    document = dict(sorted(json.loads(path.read_text()).items()))
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(document).encode())
    assert validated(program, "plan.json", code=0)[1] == ""


def test_a_plan_that_is_no_longer_right(program: Program) -> None:
    assert program("plan", program.jobspec, *REGION, "-o", "plan.json").returncode == 0
    program.servers(5)
    assert (
        "3 servers of the plan are no longer in fleet.csv"
        in validated(program, "plan.json", "-i", "fleet.csv", code=6)[1]
    )
    assert "a plan is carried out exactly as it is" in validated(program, "plan.json", "-e", "a=1", code=2)[1]
    path = program.folder / "plan.json"
    path.write_text(path.read_text().replace('"version": "1.0"', '"version": "2.0"'))
    assert "the plan was changed after it was made" in validated(program, "plan.json", code=6)[1]


def test_a_plan_whose_check_is_not_as_it_was(program: Program) -> None:
    check = program.folder / "check.sh"
    check.write_text("#!/bin/sh\n")
    check.chmod(0o755)
    program.jobspec.write_text(JOBSPEC + "rollout: {checks: [{name: c, command: [./check.sh], env: [A_TOKEN]}]}\n")
    assert program("plan", program.jobspec, *REGION, "-o", "plan.json").returncode == 0
    assert "the variable A_TOKEN is not in the environment" in validated(program, "plan.json", code=2)[1]
    program.env["A_TOKEN"] = "x"
    assert validated(program, "plan.json", code=0)[1] == ""
    check.write_text("#!/bin/sh\nexit 0\n")
    assert "was changed after the plan was made" in validated(program, "plan.json", code=6)[1]


@pytest.mark.parametrize(
    "text", ["{}", '{"schema_version": "runner/report/v1"}', '{"plan_hash": 1', "", "\x00", "- a\n"]
)
def test_what_is_neither(program: Program, text: str) -> None:
    (program.folder / "x.json").write_text(text)
    for command in ("validate", "plan", "run"):
        result = program(command, "x.json")
        assert result.returncode == 2, result.stderr
        assert "x.json" in result.stderr
        assert "Traceback" not in result.stderr


@pytest.mark.parametrize("name", ["no-such.yaml", "no-such.json", "."])
def test_a_file_that_cannot_be_read(program: Program, name: str) -> None:
    assert "cannot be read" in validated(program, name, code=2)[1]


def test_help_and_readme_say_what_it_does(program: Program) -> None:
    said = " ".join(program("validate", "--help").stdout.split())
    for text in (said, " ".join((ROOT / "README.md").read_text().split())):
        assert "JOBSPEC|PLAN.json" in text.replace("\\|", "|")
        assert "the mistakes of all of them at once" in text
        assert "Nothing is asked of the network" in text
        assert "It says what it did not check" in text
