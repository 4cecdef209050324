"""`--log-format json` makes every line on stderr JSON, and `-q` leaves only errors and the result, whoever writes there."""

from __future__ import annotations

import io
import json
import signal
from typing import Any

import pytest

from runner.cli.json_lines import JsonLines
from tests.cli.conftest import JOBSPEC, SIMULATED, Program
from tests.cli.processes import ended, read_lines
from tests.cli.serving import StartSimulator
from tests.cli.shells import FAILING, ends

pytestmark = pytest.mark.process

WARNING = "job.yaml:7: group `none` selects no server"
JSON = ("--log-format", "json")
# What a library may do while the program loads a part of itself: warn, log, and have a thread that ends by an error.
LIBRARY = """\
import logging, sys, threading, warnings

def fail():
    raise ValueError("a thread of a library")

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "runner.app.process":
            warnings.warn("a library warns")
            logging.getLogger("library").error("a library logs\\non two lines")
            thread = threading.Thread(target=fail)
            thread.start()
            thread.join()
            print("half a line", end="", file=sys.stderr)

sys.meta_path.insert(0, Finder())
"""
INTERRUPTING = "import os, signal, sys\n\nclass Finder:\n    def find_spec(self, name, path=None, target=None):\n        if name == 'runner.app.process':\n            os.kill(os.getpid(), signal.SIGINT)\n\nsys.meta_path.insert(0, Finder())\n"
BROKEN = INTERRUPTING.replace("os.kill(os.getpid(), signal.SIGINT)", "raise ValueError('a bug')")


@pytest.fixture(autouse=True)
def furnished(program: Program) -> None:
    program.jobspec.write_text(JOBSPEC.replace("groups:\n", 'groups:\n  - {name: none, select: "false"}\n'))
    (program.folder / "failing.yaml").write_text(FAILING)
    program.servers(2)


def logged(err: str) -> list[dict[str, Any]]:
    """The lines of a log, each of which is a JSON object with what every one has."""
    lines = [json.loads(line) for line in err.splitlines()]
    assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)
    return lines


def events(err: str, level: str) -> list[str]:
    return [line["event"] for line in logged(err) if line["level"] == level]


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("run", "missing.yaml", *JSON), 2, "missing.yaml: cannot be read: No such file or directory"),
        (("run", "job.yaml", "--log-format=json", "--bogus"), 2, "Error: No such option '--bogus'"),
        (("run", *JSON, "job.yaml", "--report"), 2, "Error: Option '--report' requires an argument."),
        (("run", *JSON), 2, "Error: Missing argument 'JOBSPEC|PLAN.json'."),
        (("run", "job.yaml", "--deadline", "soon", *JSON), 2, "'soon': expected a"),
        (("run", "job.yaml", "--log-format", "console", *JSON, "--state-dir", ""), 2, "is empty; expected a path"),
        (("resume", "2020", *JSON), 2, "2020: no such run"),
        (("retry", "2020", *JSON, "-q"), 2, "2020: no such run"),
        (("plan", "job.yaml", *JSON), 2, "Error: No such option '--log-format'"),
        (("run", "job.yaml", *JSON, "--endpoint", "http://127.0.0.1:9", "--require-hash", "x"), 6, "and x is required"),
        (("--log-format", "json", "list"), 2, "Error: No such option '--log-format'"),
    ],
)  # fmt: skip
def test_mistakes_are_lines_of_json(program: Program, arguments: tuple[str, ...], code: int, error: str) -> None:
    ended_with, out, err = ends(program, arguments)
    assert (ended_with, out) == (code, ""), err
    said = events(err, "error")
    assert len(said) == 1
    assert error in said[0]


@pytest.mark.parametrize("verbose", [(), ("-v",)])
def test_a_run_from_its_warnings_to_its_summary(program: Program, verbose: tuple[str, ...]) -> None:
    code, out, err = ends(program, ("run", "job.yaml", "--behaviour", "failing.yaml", *JSON, *verbose))
    assert (code, "2 FAILED" in out) == (3, True)
    assert events(err, "warning") == [WARNING, "job over, not every server succeeded"]
    assert events(err, "info") == ["run started"]
    assert events(err, "debug") == ["job accepted"] * len(verbose)


def test_a_warning_of_what_is_only_shown(program: Program) -> None:
    code, out, err = ends(program, ("run", "job.yaml", "--simulate", "--dry-run", *JSON))
    assert (code, "plan hash" in out) == (0, True)
    assert [(line["level"], line["event"]) for line in logged(err)] == [("warning", WARNING)]


def test_whoever_writes_to_stderr(program: Program) -> None:
    (program.folder / "sitecustomize.py").write_text(LIBRARY)
    program.env["PYTHONPATH"] += f":{program.folder}"
    code, _, err = ends(program, ("run", "job.yaml", *SIMULATED, *JSON))
    assert code == 0
    said = events(err, "error")
    assert "a library logs\non two lines" in said
    assert "ValueError: a thread of a library" in said
    assert any("UserWarning: a library warns" in text for text in events(err, "warning"))
    assert "half a line" in err


@pytest.mark.parametrize(
    ("library", "code", "says"),
    [(INTERRUPTING, 5, "interrupted: nothing more is done"), (BROKEN, 1, "internal error: this is a bug in runner")],
)
def test_a_command_that_is_cut_short(program: Program, library: str, code: int, says: str) -> None:
    (program.folder / "sitecustomize.py").write_text(library)
    program.env["PYTHONPATH"] += f":{program.folder}"
    ended_with, _, err = ends(program, ("run", "job.yaml", *SIMULATED, *JSON))
    assert ended_with == code
    assert any(text.startswith(says) for text in events(err, "error"))


def test_a_result_that_is_lost(program: Program) -> None:
    code, _, err = ends(program, ("run", "job.yaml", *SIMULATED, *JSON, "-q"), ">/dev/full")
    assert (code, len(logged(err))) == (0, 1)
    assert events(err, "error")[0].startswith("the output could not be written: No space left on device\n")


@pytest.mark.parametrize("form", [(), JSON, ("--log-format", "console")])
def test_quiet_leaves_the_result(program: Program, form: tuple[str, ...]) -> None:
    code, out, err = ends(program, ("run", "job.yaml", "--behaviour", "failing.yaml", "-q", *form))
    assert (code, err) == (3, "")
    report, last = out.splitlines()
    assert report.startswith("report: ")
    assert last.endswith(" finished: 0 of 2 servers succeeded, exit 3")
    for arguments in (("run", "job.yaml", "--simulate", "--dry-run"), ("retry", "last", "--no-look", "--dry-run")):
        code, out, err = ends(program, (*arguments, "-q", *form))
        assert (code, "plan hash" in out, err) == (0, True, "")


def test_quiet_leaves_what_is_wrong(program: Program, simulator: StartSimulator) -> None:
    program.jobspec.write_text(
        program.jobspec.read_text()
        + "rollout: {waves: [{name: all, groups: [all]}], budget: {max_abnormal: 1}, on_breach: hold}\n"
    )
    process = program.start("run", "job.yaml", "--endpoint", simulator(FAILING), "-q", *JSON)
    assert process.stderr is not None
    held = json.loads(process.stderr.readline())
    assert (held["event"], held["level"]) == ("held", "error")
    process.send_signal(signal.SIGTERM)
    code, out, err = ended(process)
    assert (code, err) == (5, "")
    assert "go on with: runner resume" in out


def test_a_stop_of_a_run(program: Program, simulator: StartSimulator) -> None:
    process = program.start("run", "job.yaml", "--endpoint", simulator(lasting=True), *JSON)
    read_lines(process, 2)
    process.send_signal(signal.SIGINT)
    code, _, err = ended(process)
    assert (code, [line["event"] for line in logged(err)]) == (5, ["stopping"])


def test_lines_outlive_their_stream() -> None:
    """Whoever collects them closes them, and that may be after the stream."""
    stream = io.StringIO()
    lines = JsonLines(stream, lambda: 0.0)
    lines.write("begun")
    stream.close()
    lines.close()
    assert lines.closed
