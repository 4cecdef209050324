"""The program under shells that give it less than it is used to, each time as a process of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence

from tests.cli.conftest import BEHAVIOUR, JOBSPEC, Program
from tests.cli.processes import LONGEST_S

PLAN = ("plan", "job.yaml", "--region", "cn-north-9")
SIGNS = "größe 北京 😀"
"""What no encoding but those of Unicode has whole; it is in the jobspec that `furnish` makes."""
FAILING = BEHAVIOUR.replace("0.3}", "0.1, failing: 1.0}")
RUN = ("run", "job.yaml", "--behaviour", "failing.yaml")
"""A run that ends with 3."""

COMMANDS: dict[tuple[str, ...], int] = {
    ("--help",): 0,
    ("--version",): 0,
    ("run", "--help"): 0,
    ("frobnicate",): 2,
    ("validate", "job.yaml", "--region", "cn-north-9"): 0,
    ("validate", "missing.yaml"): 2,
    PLAN: 0,
    (*PLAN, "--format", "json"): 0,
    (*PLAN, "-o", "again.json"): 0,
    (*RUN, "--dry-run"): 0,
    RUN: 3,
    ("resume", "last"): 6,
    ("retry", "last", "--dry-run", "--no-look"): 0,
    ("retry", "last", "--no-look", "--behaviour", "failing.yaml"): 3,
    ("report", "last"): 0,
    ("report", "last", "--report", "-"): 0,
    ("report", "last", "--lineage"): 0,
    ("list",): 0,
    ("list", "--format", "json"): 0,
    ("show", "last"): 0,
    ("show", "last", "--format", "json"): 0,
    ("diff", "plan.json", "last"): 3,
    ("verify", "last"): 0,
    ("locks",): 0,
    ("pause", "last"): 6,
    ("abort", "2020"): 2,
    ("schema", "report"): 0,
    ("completion", "bash"): 0,
    ("prune", "--older-than", "90d"): 0,
    ("export", "last", "-"): 0,
    ("export", "last", "run.zip"): 0,
    ("simulate", "--port", "70000"): 2,
}
"""One of each command that writes, given where `furnish` was, and what it ends with."""

TRACES = ("Traceback", "Exception ignored", "BrokenPipeError", "internal error")


def furnish(program: Program) -> None:
    """Put all there is to look at into the program's folder: a plan, and a run of which every server failed."""
    (program.folder / "failing.yaml").write_text(FAILING)
    program.servers(2)
    assert program(*PLAN, "-o", "plan.json").returncode == 0
    program.jobspec.write_text(
        JOBSPEC.replace("name: test", f"name: test\ndescription: {SIGNS}").replace('"1.0"', SIGNS), encoding="utf-8"
    )
    (program.folder / "fleet.csv").write_text("id,name\nid-0,größe\nid-1,北京\n", encoding="utf-8")
    assert program(*RUN).returncode == 3


def ends(
    program: Program, arguments: Sequence[str], shell: str = "", env: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """The exit code of a command, and what it says, from a shell that does `shell` to its streams."""
    command = ["sh", "-c", f'exec "$@" {shell}', "sh", *program.command(*arguments)]
    done = subprocess.run(
        command,
        cwd=program.folder,
        env={**program.env, **(env or {})},
        capture_output=True,
        timeout=LONGEST_S,
        check=False,
    )
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def ends_unread(program: Program, arguments: Sequence[str]) -> tuple[int, str]:
    """The exit code, and what is on stderr, of a command whose output nobody reads, as in `| true`."""
    ours, theirs = os.pipe()
    os.close(ours)
    command = program.command(*arguments)
    process = subprocess.Popen(command, cwd=program.folder, env=program.env, stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    _, err = process.communicate(timeout=LONGEST_S)
    return process.returncode, err.decode()
