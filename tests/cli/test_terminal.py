"""What a person sees of a rollout on a terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import threading
from contextlib import suppress

import pytest

from tests.cli.conftest import Program
from tests.cli.rollouts import given, with_rollout
from tests.cli.serving import StartSimulator

pytestmark = pytest.mark.process

_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def read_until(terminal: int, words: str) -> str:
    """What a terminal shows up to these words."""
    shown = b""
    with suppress(OSError):  # the other end was closed
        while words not in _CODES.sub("", shown.decode(errors="replace")):
            shown += os.read(terminal, 4096)
    text = _CODES.sub("", shown.decode(errors="replace"))
    assert words in text
    return text


def test_the_wave_at_work_and_what_a_person_can_do(program: Program, simulator: StartSimulator) -> None:
    with_rollout(program, "waves: [{name: canary, groups: [canary], approve: true}, {name: main, groups: [main]}]")
    ours, theirs = pty.openpty()
    command = program.command("run", program.jobspec, "--endpoint", simulator())
    wide = {**program.env, "COLUMNS": "200", "TERM": "xterm"}
    with subprocess.Popen(
        command, cwd=program.folder, env=wide, text=True, stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        os.close(theirs)
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        shown = read_until(ours, "wave canary waits: runner approve 2")
        assert "wave canary (1 of 2): awaiting approval, 2/2 servers" in shown
        given(program, "pause", "last")
        read_until(ours, "paused: runner continue 2")
        given(program, "approve", "last", "canary")
        given(program, "continue", "last")
        read_until(ours, "wave main (2 of 2): running")
        read_until(ours, "8/8 servers")
        out, _ = process.communicate()
        watchdog.cancel()
    os.close(ours)
    assert process.returncode == 0
    assert "waves      canary  passed            2: 2 succeeded\n           main    passed " in out
