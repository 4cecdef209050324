"""A command that is carried out in the tests' own process is the program's, and leaves nothing behind for the next."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from typing import Any

import pytest

from tests.cli.conftest import JOBSPEC, SIMULATED, Program
from tests.cli.processes import ended


def what_belongs_to_the_process() -> dict[str, Any]:
    return {
        "environment": dict(os.environ),
        "folder": os.getcwd(),  # noqa: PTH109  it is what may have changed
        "time zone": (time.tzname, time.timezone),
        "streams": (sys.stdin, sys.stdout, sys.stderr),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)],
        "threads": set(threading.enumerate()),
        "frozen": gc.get_freeze_count(),
        "files": set(os.listdir("/proc/self/fd")),  # noqa: PTH208  likewise
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "job.yaml", *SIMULATED, "-v"),
        ("run", "job.yaml", "--endpoint", "http://127.0.0.1:1"),
        ("resume", "last"),
        ("plan", "nowhere.yaml"),
        ("plan", "--nonsense"),
        ("--help",),
    ],
)
def test_a_command_leaves_the_process_as_it_was(program: Program, arguments: tuple[str, ...]) -> None:
    program.env |= {"TZ": "XST-5", "HUAWEICLOUD_SDK_SK": ""}
    program("run", "job.yaml", "--endpoint", "http://127.0.0.1:1")  # opens what is opened once, for good
    before = what_belongs_to_the_process()
    program(*arguments)
    assert what_belongs_to_the_process() == before


def test_what_one_command_says_is_not_said_by_the_next(program: Program) -> None:
    first = program("run", program.jobspec, *SIMULATED, "-v", "--log-format", "json")
    second = program("run", program.jobspec, *SIMULATED, "--log-format", "console", "--no-color")
    assert (first.stderr.count("run started"), first.stderr.count("job accepted")) == (1, 4)
    assert (second.stderr.count("run started"), second.stderr.count("job accepted")) == (1, 0)
    assert "{" not in second.stderr
    assert program("list", "-h").stderr == ""


@pytest.mark.process
@pytest.mark.parametrize(
    "arguments",
    [
        ("validate", "job.yaml", "--region", "r-1"),
        ("plan", "job.yaml", "--region", "r-1", "--format", "json"),
        ("validate", "wrong.yaml"),
        ("list",),
        ("show", "last"),
        ("run", "--nonsense"),
        ("schema", "plan"),
        ("--version",),
        ("--help",),
        (),
    ],
)
def test_it_says_and_ends_with_what_a_process_does(program: Program, arguments: tuple[str, ...]) -> None:
    (program.folder / "wrong.yaml").write_text(JOBSPEC.replace("groups:", "grups:"))
    here = program(*arguments)
    assert (here.returncode, here.stdout, here.stderr) == ended(program.start(*arguments))
