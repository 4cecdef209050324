"""What others say does nothing to a terminal, and is nobody's line but theirs; machines get it whole."""

from __future__ import annotations

import json

import pytest

from runner.plain import plain
from tests.cli.conftest import BEHAVIOUR, JOBSPEC, SIMULATED, Program
from tests.cli.rollouts import with_rollout
from tests.cli.serving import StartSimulator
from tests.cli.test_runs import report_of

# Sets a clipboard, turns a line around, tells of a run that ended well, and is long.
CLIPBOARD = "\x1b]52;c;cm0gLXJmIC8=\x07"
HOSTILE = f"{CLIPBOARD}\u202edlrow\nrun 1 of test: finished\r\x9b2K" + "x" * 5_000
HOSTILE_YAML = json.dumps(HOSTILE)
SAYS_IT = BEHAVIOUR.replace("duration_s: 0.3", f"duration_s: 0.3, failing_servers: [id-0], message: {HOSTILE_YAML}")


def is_harmless(*said: str) -> None:
    for text in said:
        assert plain(text) == text
        assert "\nrun 1 of test" not in text
        assert all(len(line) < 1_000 for line in text.splitlines())


@pytest.mark.parametrize("form", ["console", "json"])
def test_what_a_task_says(program: Program, form: str) -> None:
    (program.folder / "says.yaml").write_text(SAYS_IT)
    result = program("run", program.jobspec, "--behaviour", "says.yaml", "--log-format", form)
    assert result.returncode == 3, result.stderr
    is_harmless(result.stdout, result.stderr, program("show", "last").stdout)
    assert "FAILED: \\x1b]52" in result.stdout
    messages = [task["message"] for job in report_of(program)["jobs"] for task in job["tasks"]]
    assert HOSTILE in messages
    (path,) = (program.state / "reports").iterdir()
    assert plain(path.read_text()) == path.read_text()


def test_what_files_say(program: Program) -> None:
    rows = "".join(f'id-{i},"{HOSTILE}"\n' for i in range(2))
    (program.folder / "fleet.csv").write_text("id,name\n" + rows, newline="")
    program.jobspec.write_text(JOBSPEC.replace("name: test", f"name: test\ndescription: {HOSTILE_YAML}"))
    planned = program("plan", program.jobspec, "--region", "r-1")
    is_harmless(planned.stdout, planned.stderr)
    (program.folder / "says.yaml").write_text(SAYS_IT)
    ran = program("run", program.jobspec, "--behaviour", "says.yaml")
    is_harmless(ran.stdout, ran.stderr)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("rate: unlimited, settle", f"rate: {HOSTILE_YAML}, settle"),
        ("groups:", f"{HOSTILE_YAML}: 1\ngroups:"),
        ("job_name: hdk", f"job_name: {HOSTILE_YAML}"),
        ('select: "true"', f"select: {HOSTILE_YAML}"),
    ],
)
def test_mistakes_in_files(program: Program, old: str, new: str) -> None:
    program.jobspec.write_text(JOBSPEC.replace(old, new))
    result = program("validate", program.jobspec, "--region", "r-1")
    assert result.returncode == 2
    assert plain(result.stderr) == result.stderr
    assert "\nrun 1 of test" not in result.stderr


def test_words_of_the_command_line(program: Program) -> None:
    for arguments in (["run", CLIPBOARD], ["list", "--limit", CLIPBOARD], [CLIPBOARD], ["show", CLIPBOARD]):
        result = program(*arguments)
        assert result.returncode
        assert plain(result.stderr) == result.stderr


def test_what_a_person_gives_as_the_reason(program: Program, simulator: StartSimulator) -> None:
    with_rollout(program, "waves: [{name: w, groups: [canary], approve: true}, {name: rest}]")
    ran = program("run", program.jobspec, "--endpoint", simulator(), "--no-wait-for-person")
    assert ran.returncode == 5, ran.stderr
    asked = program("abort", "last", "--why", HOSTILE)
    pending = program("show", "last")
    resumed = program("resume", "last", "--log-format", "console")
    assert resumed.returncode == 4, resumed.stderr
    is_harmless(asked.stdout, asked.stderr, pending.stdout, resumed.stdout, resumed.stderr)
    assert HOSTILE in [decision["why"] for decision in report_of(program)["decisions"]]


def test_what_a_check_says(program: Program) -> None:
    check = r"checks: [{name: health, command: [printf, 'ill \033]52;c;cm0=\007\nrun 1 of test: finished']}]"
    with_rollout(program, "waves: [{name: w}]", check, "on_breach: abort")
    result = program("run", program.jobspec, *SIMULATED, "--log-format", "console", "-v")
    assert result.returncode == 0, result.stderr
    assert "ill" in result.stderr
    is_harmless(result.stdout, result.stderr)
