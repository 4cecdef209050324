"""What the benchmarks share."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

RUNS = 5
CLIENT_CORE = "1" if (os.cpu_count() or 1) > 1 else "0"
SERVER_CORE = "0"


def pinned(core: str, *command: str) -> list[str]:
    """A command that runs on one core only."""
    return ["taskset", "-c", core, *command]


def timed(command: list[str], **env: str) -> tuple[float, str]:
    """Wall seconds and standard output of a command on the client's core."""
    began = time.perf_counter()
    done = subprocess.run(
        pinned(CLIENT_CORE, *command),
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    took = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return took, done.stdout


class Measured(NamedTuple):
    """What a command took."""

    wall_s: float
    cpu_s: float
    peak_mib: int


def measured(command: list[str], codes: tuple[int, ...] = (0,), **env: str) -> Measured:
    """Time, of the clock and of the processor, and memory of a command on the client's core. It ends with one of `codes`."""
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        child = subprocess.Popen(pinned(CLIENT_CORE, *command), stdout=said, stderr=said, env={**os.environ, **env})
        _, status, used = os.wait4(child.pid, 0)
        wall_s = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode not in codes:
            said.seek(0)
            sys.exit(f"{' '.join(command)}: exit {child.returncode}\n{said.read().decode()}")
    return Measured(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024)


def median(values: list[float]) -> float:
    """The median."""
    return statistics.median(values)


def row(*cells: object) -> None:
    """Print one row of a Markdown table."""
    print("| " + " | ".join(f"{cell:,.2f}" if isinstance(cell, float) else str(cell) for cell in cells) + " |")


def header(*names: str) -> None:
    """Print the head of a Markdown table."""
    row(*names)
    row(*("---" for _ in names))


def runner(*arguments: str | Path) -> list[str]:
    """The program's command line."""
    return [sys.executable, "-m", "runner", *map(str, arguments)]
