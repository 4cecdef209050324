"""The program as users start it: processes, real files, real HTTP to a simulator on loopback."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

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
listing: {lag_s: 0.2}
tasks: {duration_s: 1}
"""


class Program:
    """Starts the program in a folder with a jobspec of its own, with nothing of ours in its environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.jobspec = folder / "job.yaml"
        self.jobspec.write_text(JOBSPEC)
        self.servers(8)
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "RUNNER_STATE_DIR": str(self.state),
            "HUAWEICLOUD_SDK_AK": "SIMULATORAK",
            "HUAWEICLOUD_SDK_SK": "SIMULATORSK",
        }

    def servers(self, count: int) -> None:
        (self.folder / "fleet.csv").write_text("id,name\n" + "".join(f"id-{i},server-{i}\n" for i in range(count)))

    def command(self, *arguments: str | Path) -> list[str]:
        return [sys.executable, "-m", "runner", *map(str, arguments)]

    def start(self, *arguments: str | Path, limits: Mapping[int, int] | None = None) -> subprocess.Popen[str]:
        """Start the program; `limits` are those of the resource module."""

        def limit() -> None:
            for kind, most in (limits or {}).items():
                resource.setrlimit(kind, (most, most))

        return subprocess.Popen(
            self.command(*arguments),
            preexec_fn=limit if limits else None,  # noqa: PLW1509  nothing runs beside this process's one thread
            cwd=self.folder,
            env=self.env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __call__(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


StartSimulator = Callable[..., str]


@pytest.fixture
def simulator(program: Program) -> Iterator[StartSimulator]:
    processes: list[subprocess.Popen[str]] = []

    def start(behaviour: str = BEHAVIOUR) -> str:
        (program.folder / "behaviour.yaml").write_text(behaviour)
        process = program.start("simulate", "--port", "0", "-b", "behaviour.yaml")
        processes.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        return next(word for word in line.split() if word.startswith("http://"))

    yield start
    for process in processes:
        process.kill()
        process.communicate()
