"""Names and lines of others that do something to a terminal, or are millions of characters long, at every place."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import BEHAVIOUR, JOBSPEC, Program
from tests.cli.rollouts import with_rollout
from tests.cli.test_hostile_text import CLIPBOARD, is_harmless

CLEAR = "\x1b[2J\x1b]0;title\x07"
NAME = f"a{CLEAR}\u202eb\nrun 1 of test: finished"
MEGABYTES = CLIPBOARD + "x" * 3_000_000


def test_names_of_files(program: Program) -> None:
    jobspec, inventory, values, plan = (f"{NAME}{ending}" for ending in (".yaml", ".csv", ".vars", ".plan.json"))
    (program.folder / "fleet.csv").rename(program.folder / inventory)
    (program.folder / values).write_text("a: 1\n")
    inputs = (jobspec, "-i", inventory, "--vars-file", values)
    for text, code in ((JOBSPEC, 0), (JOBSPEC.replace("groups:", "grups:"), 2), ("{", 2)):
        (program.folder / jobspec).write_text(text)
        says(program, code, "validate", *inputs, "--region", "r-1")
        says(program, code, "plan", *inputs, "--region", "r-1", "-o", plan)
    (program.folder / jobspec).write_text(JOBSPEC)
    for form in ("console", "json"):
        report = ("--report", f"{NAME}.json", "--log-format", form)
        says(program, 0, "run", *inputs, "--behaviour", "quick.yaml", *report)
    for arguments in (
        ("list",), ("show", "last"), ("report", "last", "--report", f"{NAME}.2"), ("verify", "last"),
        ("diff", plan, plan), ("export", "last", f"{NAME}.zip"), ("backup", f"{NAME}.db"),
    ):  # fmt: skip
        says(program, 0, *arguments)
    none = f"no{NAME}"
    for command in (
        ("run", none),
        ("plan", jobspec, "-i", none),
        ("validate", none),
        ("run", jobspec, "--behaviour", none),
    ):
        says(program, 2, *command)


def says(program: Program, code: int, *arguments: str) -> None:
    result = program(*arguments)
    assert result.returncode == code, result.stderr
    is_harmless(result.stdout, result.stderr)


@pytest.mark.parametrize("form", ["console", "json"])
def test_lines_of_megabytes_of_tasks(program: Program, form: str) -> None:
    says = json.dumps(MEGABYTES)
    (program.folder / "says.yaml").write_text(
        BEHAVIOUR.replace("duration_s: 0.3", f"duration_s: 0.3, failing_servers: [id-0], message: {says}")
    )
    ran = program("run", program.jobspec, "--behaviour", "says.yaml", "--log-format", form)
    assert ran.returncode == 3, ran.stderr
    is_harmless(ran.stdout, ran.stderr, program("show", "last").stdout)
    assert len(ran.stdout + ran.stderr) < 20_000


def test_lines_of_megabytes_of_checks_and_of_servers(program: Program) -> None:
    (program.folder / "check").write_text(
        "#!/bin/sh\nhead -c 3000000 /dev/zero | tr '\\\\0' x; printf '\\\\033[2J'; exit 1\n"
    )
    (program.folder / "check").chmod(0o755)
    with_rollout(program, "waves: [{name: w}]", "checks: [{name: health, command: [./check]}]", "on_breach: abort")
    ran = program("run", program.jobspec, "--behaviour", "quick.yaml", "--log-format", "console", "-v")
    assert ran.returncode == 4, ran.stderr
    is_harmless(ran.stdout, ran.stderr, program("show", "last").stdout)
    assert len(ran.stdout + ran.stderr) < 20_000


def test_what_a_plan_file_says(program: Program) -> None:
    program.jobspec.write_text(JOBSPEC.replace("name: test", f"name: test\ndescription: {json.dumps(NAME)}"))
    (program.folder / "fleet.csv").write_text("id,name\n" + "".join(f'id-{i},"{NAME}"\n' for i in range(2)), newline="")
    assert program("plan", program.jobspec, "--region", "r-1", "-o", "p.json").returncode == 0
    document = json.loads((program.folder / "p.json").read_text())
    document["campaign"] = NAME
    (program.folder / "other.json").write_text(json.dumps(document))
    for arguments in (
        ("diff", "p.json", "other.json"),
        ("run", "other.json"),
        ("validate", "other.json"),
        ("validate", "p.json"),
    ):
        said = program(*arguments)
        is_harmless(said.stdout, said.stderr)
