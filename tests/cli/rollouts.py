"""Small rollouts that are run by a process of their own and operated from the tests'."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.cli.conftest import BEHAVIOUR, JOBSPEC, Program
from tests.cli.processes import LONGEST_S, ended
from tests.waiting import eventually

FAILING = BEHAVIOUR.replace("duration_s: 0.3", "duration_s: 0.3, failing_servers: [id-0]")
GROUPS = """\
groups:
  - {name: canary, servers: [id-0, id-1]}
  - {name: main, select: "true"}
"""
WAVES = "waves: [{name: canary, groups: [canary]}, {name: main, groups: [main]}]"

# What a line of the log is called among the decisions of a report.
_DECISIONS = {"held": "hold", "wave started": "start", "wave waits for approval": "ask_approval", "wave passed": "pass"}


def with_rollout(program: Program, *parts: str, on: str = JOBSPEC) -> None:
    """Let the jobspec be one of two servers as canaries and six more, with these parts of a rollout."""
    text = on.replace('groups:\n  - name: all\n    select: "true"\n', GROUPS)
    program.jobspec.write_text(text + "rollout:\n" + "".join(f"  {part}\n" for part in parts))


class Operated:
    """A run at work: its process, and what it has logged so far."""

    def __init__(self, program: Program, process: subprocess.Popen[str]) -> None:
        self.program = program
        self.process = process
        self.lines: list[dict[str, Any]] = []

    def until(self, what: str, **fields: object) -> dict[str, Any]:
        """Read its log up to a line that says so; return that line."""
        assert self.process.stderr is not None
        for text in self.process.stderr:
            line = json.loads(text) if text.startswith("{") else {"event": text}
            self.lines.append(line)
            if line["event"] == what and fields.items() <= line.items():
                eventually(lambda: self._is_journalled(what))
                return line
        raise AssertionError(f"ended without {what!r}: {self.lines}")

    def _is_journalled(self, what: str) -> bool:
        """Whether the journal has it, too: the log is a commit ahead, and commands go by the journal."""
        if what not in _DECISIONS:
            return True
        said = len([line for line in self.lines if line["event"] == what])
        return decisions(report(self.program)).count(_DECISIONS[what]) >= said

    def give(self, *command: str, code: int = 0, says: str = "") -> str:
        """Give a command from this process; return what that said."""
        return given(self.program, *command, code=code, says=says)

    def ends(self, code: int) -> dict[str, Any]:
        """Wait for its end; return its report."""
        found, out, err = ended(self.process)
        assert found == code, out + err
        return report(self.program)

    def killed(self) -> None:
        """End it without a word."""
        self.process.kill()
        self.process.communicate()


def given(program: Program, *command: str, code: int = 0, says: str = "") -> str:
    """Give a command; it must end so and say so, in one message."""
    result = program(*command)
    said = result.stdout + result.stderr
    assert (result.returncode, "Traceback" in said) == (code, False), said
    assert says in said, said
    return said


def report(program: Program) -> dict[str, Any]:
    """The report of the newest run as it stands."""
    result: dict[str, Any] = json.loads(program("report", "last", "--report", "-").stdout)
    return result


def decisions(found: Mapping[str, Any]) -> list[str]:
    """What was decided, in order."""
    return [decision["what"] for decision in found["decisions"]]


@contextmanager
def operated(program: Program, *arguments: str) -> Iterator[Operated]:
    """A run that is ended with the test, whatever comes. It waits for persons unless it is told not to."""
    waits = [] if "--no-wait-for-person" in arguments else ["--wait-for-person"]
    process = program.start(*arguments, *waits, "--log-format", "json")
    # What never says what a test waits for must not keep it waiting.
    watchdog = threading.Timer(LONGEST_S, process.kill)
    watchdog.start()
    try:
        yield Operated(program, process)
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()
