"""What is done to processes of the program that a test has started."""

from __future__ import annotations

import subprocess

LONGEST_S = 120.0
"""For how long a process may go on that a test waits for, seconds: what hangs must not keep the suite waiting."""


def read_lines(process: subprocess.Popen[str], count: int = 1) -> None:
    """Wait until it has logged so much; the first line says that the run has begun."""
    assert process.stderr is not None
    for _ in range(count):
        process.stderr.readline()


def killed_after(process: subprocess.Popen[str], lines: int) -> None:
    """End it without a word once it has logged so much."""
    read_lines(process, lines)
    process.kill()
    process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for its end: the exit code, and what it said on stdout and stderr."""
    out, err = process.communicate(timeout=LONGEST_S)
    return process.returncode, out, err
