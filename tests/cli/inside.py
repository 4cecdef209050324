"""The command line inside the tests' own process: most of what a command costs is the start of a process."""

from __future__ import annotations

import gc
import io
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from subprocess import CompletedProcess

from runner.app.host import RunLoop
from runner.app.process import host_of, run_loop
from runner.cli.main import run_command_line
from runner.engine.clock import SystemClock
from runner.engine.ports import MachineClock


class ClockSetTo(SystemClock):
    """The machine's clocks, but for a wall clock that somebody set just now."""

    def __init__(self, now: datetime) -> None:
        self._ahead_s = now.timestamp() - time.time()

    def wall(self) -> float:
        return super().wall() + self._ahead_s


def carried_out(
    arguments: Sequence[str], env: Mapping[str, str], folder: Path, clock: MachineClock, loop: RunLoop = run_loop
) -> CompletedProcess[str]:
    """What a command says and ends with, given in a folder and with nothing but `env` in its environment."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with _surroundings(env, folder):
        code = run_command_line(arguments, lambda: replace(host_of(env, clock), run_loop=loop), out, err)
    return CompletedProcess(["runner", *arguments], code, _said(out), _said(err))


def _said(stream: io.TextIOWrapper) -> str:
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode("utf-8", "replace")


@contextmanager
def _surroundings(env: Mapping[str, str], folder: Path) -> Iterator[None]:
    """The one place where tests change what belongs to the whole process; it is put back, whatever comes.

    A command has its environment from its host, but for what libraries read for it: the options, colours, the time zone.
    """
    env_before, folder_before = dict(os.environ), Path.cwd()
    try:
        _set_environment(env)
        os.chdir(folder)
        yield
    finally:
        gc.unfreeze()  # a run freezes its plan, and a process of many runs would keep them all
        os.chdir(folder_before)
        _set_environment(env_before)


def _set_environment(env: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
