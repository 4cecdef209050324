"""The program as users have it: its whole command line, real files, real HTTP to a simulator on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from runner.engine.clock import SystemClock
from tests.cli.inside import carried_out
from tests.cli.processes import ended
from tests.cli.serving import StartSimulator

ROOT = Path(__file__).parents[2]
JOBSPEC = """\
api_version: runner/v1
name: test
inventory: fleet.csv
lane:
  project_id: p
groups:
  - name: all
    select: "true"
steps:
  - name: upgrade
    type: HDK_UPGRADE
    job_name: hdk
    servers_per_job: 2
    items:
      - type: HDK_UPGRADE
        spec: {version: "1.0"}
submit: {rate: unlimited, settle: 1s, timeout: 5s, concurrency: 4}
watch: {rate: unlimited}
"""
BEHAVIOUR = """\
throttle: {creates: null, reads: null}
listing: {lag_s: 0}
tasks: {duration_s: 0.3}
"""
SIMULATED = ("--behaviour", "quick.yaml")
"""Options of a run against a simulator of its own that is quicker than that of `--simulate`."""


class Program:
    """The program in a folder with a jobspec of its own, with nothing of ours in its environment.

    Called, it carries out a command in this process, by its `clock`, or in one of its own if it is set `apart`; `start`
    starts one.
    """

    def __init__(self, folder: Path, *, may_start: bool) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.jobspec = folder / "job.yaml"
        self.jobspec.write_text(JOBSPEC)
        (folder / "quick.yaml").write_text(BEHAVIOUR)
        self.servers(8)
        self.apart = False
        self.clock = SystemClock()
        self._may_start = may_start
        self._started: list[subprocess.Popen[str]] = []
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "RUNNER_STATE_DIR": str(self.state),
            "HUAWEICLOUD_SDK_AK": "SIMULATORAK",
            "HUAWEICLOUD_SDK_SK": "SIMULATORSK",
            "RUNNER_METADATA_ENDPOINT": "",
        }

    def servers(self, count: int) -> None:
        (self.folder / "fleet.csv").write_text("id,name\n" + "".join(f"id-{i},server-{i}\n" for i in range(count)))

    def __call__(
        self, *arguments: str | Path, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Carry out a command; `env` is what its environment has besides, of what is looked at by the program itself."""
        if self.apart:
            assert not env
            code, out, err = ended(self.start(*arguments))
            return subprocess.CompletedProcess(arguments, code, out, err)
        return carried_out([*map(str, arguments)], {**self.env, **(env or {})}, self.folder, self.clock)

    def command(self, *arguments: str | Path) -> list[str]:
        """What starts a process, for tests that are marked so."""
        assert self._may_start, "mark a test that starts processes: @pytest.mark.process"
        return [sys.executable, "-m", "runner", *map(str, arguments)]

    def start(self, *arguments: str | Path, within: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """Start a process; `within` is a command that starts it in turn, such as `sh -c 'ulimit ...; exec "$@"' sh`."""
        process = subprocess.Popen(
            [*within, *self.command(*arguments)],
            cwd=self.folder,
            env=self.env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._started.append(process)
        return process

    def end_what_is_left(self) -> None:
        """Of a test that failed, a process may be left, perhaps a frozen one."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.communicate()


@pytest.fixture
def program(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Program]:
    program = Program(tmp_path, may_start=request.node.get_closest_marker("process") is not None)
    yield program
    program.end_what_is_left()


@pytest.fixture
def simulator() -> Iterator[StartSimulator]:
    with ExitStack() as stack:
        yield StartSimulator(stack, BEHAVIOUR)
