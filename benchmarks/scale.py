"""A run of many servers to its end, and what is asked about it afterwards, at three sizes: nothing may grow faster.

`python -m benchmarks.scale [SERVERS ...]`. Fifty servers a job against the simulator, a process of its own, whose answers to
creates have all tasks; one server of a thousand fails. At the end the run's last entry is taken away, as if its process had
died before it wrote that, and the run is resumed. At most: what is asked of 100,000 and 1,000,000 servers.
"""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import apsw

from benchmarks.fleets import write_fleets
from benchmarks.tools import SERVER_CORE, Measured, header, measured, pinned, row, runner
from runner.settings import JOURNAL_FILE

SIZES = (10_000, 100_000, 1_000_000)
PORT = 18184
SOME_FAILED = 3
OVER_ALREADY = 6
JOBSPEC = f"""\
api_version: runner/v1
name: scale
inventory: few.ndjson
lane: {{endpoint: "http://127.0.0.1:{PORT}", project_id: p}}
groups: [{{name: all, select: "true"}}]
steps:
  - name: upgrade
    type: HDK_UPGRADE
    job_name: "hdk-{{{{ group.name }}}}"
    servers_per_job: 50
    items: [{{type: HDK_UPGRADE, spec: {{version: "24.1"}}}}]
submit: {{rate: unlimited}}
watch: {{rate: unlimited}}
"""
BEHAVIOUR = {
    "throttle": {"creates": None, "reads": None},
    "listing": {"lag_s": 0.1},
    "tasks": {"duration_s": 1, "failing": 0.001},
    "jobs": {"tasks_at_create": "all"},
    "auth": {"access_keys": {"a": "b"}},
}
CUT = """
DELETE FROM entry WHERE seq = (SELECT max(seq) FROM entry);
UPDATE run SET state = NULL, counts = NULL;
"""


class Step(NamedTuple):
    """A command, and what it may take of 100,000 and 1,000,000 servers: seconds of the clock, MiB; 0: no promise."""

    called: str
    arguments: tuple[str, ...]
    seconds: tuple[float, float] = (2, 15)
    memory: tuple[int, int] = (0, 0)
    codes: tuple[int, ...] = (0,)


def _steps(folder: Path) -> Iterator[Step]:
    report = str(folder / "report.json")
    yield Step("run", ("run", str(folder / "job.yaml"), "-q"), (0, 0), (300, 1536), (SOME_FAILED,))
    yield Step("report", ("report", "last", "--report", report))
    yield Step("report to stdout", ("report", "last", "--report", "-"))
    yield Step("show", ("show", "last"))
    yield Step("list", ("list",), (0.2, 0.2))
    yield Step("verify", ("verify", "last"))
    yield Step("verify, of the report", ("verify", report))
    yield Step("retry --dry-run", ("retry", "last", "--no-look", "--dry-run"))
    yield Step("resume, of what is over", ("resume", "last"), codes=(OVER_ALREADY,))
    yield Step("resume, of what broke off", ("resume", "last", "-q"), codes=(SOME_FAILED,))


@contextmanager
def simulator(folder: Path) -> Iterator[None]:
    """The service, on the core that is not the client's."""
    behaviour = folder / "behaviour.json"
    behaviour.write_text(json.dumps(BEHAVIOUR))
    command = pinned(SERVER_CORE, *runner("simulate", "--port", str(PORT), "--behaviour", behaviour))
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101  it is a pipe
        process.stdout.readline()  # it says that it serves
        try:
            yield
        finally:
            process.terminate()


class Taken(NamedTuple):
    """What each step took, and the bytes of the journal for each server: of all its files, and of what is in them."""

    steps: dict[Step, Measured]
    on_disk: float
    filled: float


def _taken(servers: int) -> Taken:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name, simulator(Path(name)):
        folder, state = Path(name), Path(name) / "state"
        write_fleets(folder, servers, ("few.ndjson",))
        (folder / "job.yaml").write_text(JOBSPEC)
        steps: dict[Step, Measured] = {}
        on_disk = filled = 0.0
        for step in _steps(folder):
            if step.called.endswith("broke off"):
                _cut(state)
            command = [*runner(*step.arguments), "--state-dir", str(state)]
            steps[step] = measured(command, step.codes, HUAWEICLOUD_SDK_AK="a", HUAWEICLOUD_SDK_SK="b")
            if step.called == "run":
                on_disk, filled = (size / servers for size in _sizes(state))
                shutil.rmtree(state / "reports")
        return Taken(steps, on_disk, filled)


def _cut(state: Path) -> None:
    """Take the last entry of the only run away, which says that it ended."""
    connection = apsw.Connection(str(state / JOURNAL_FILE))
    connection.execute(CUT)
    connection.close()


def _sizes(state: Path) -> tuple[int, int]:
    """The bytes of a journal's files, and of those pages that are not free for the next run."""
    connection = apsw.Connection(str(state / JOURNAL_FILE), flags=apsw.SQLITE_OPEN_READONLY)
    free = connection.pragma("freelist_count") * connection.pragma("page_size")
    connection.close()
    on_disk = sum(path.stat().st_size for path in state.glob(f"{JOURNAL_FILE}*"))
    return on_disk, on_disk - free


def main(*sizes: int) -> None:
    """Print what each step takes at each size, how it grows from size to size, and what is asked."""
    sizes = sizes or SIZES
    taken = {servers: _taken(servers) for servers in sizes}
    names = [name for servers in sizes for name in (f"{servers:,}: CPU s", "wall s", "MiB")]
    growth = [f"CPU, {after / before:g} times the servers" for before, after in itertools.pairwise(sizes)]
    header("command", *names, *growth, "at most")
    for steps in zip(*(one.steps.items() for one in taken.values()), strict=True):
        used = [one for _, one in steps]
        grown = [after.cpu_s / before.cpu_s for before, after in itertools.pairwise(used)]
        cells = [cell for one in used for cell in (one.cpu_s, one.wall_s, one.peak_mib)]
        row(steps[0][0].called, *cells, *grown, _asked(steps[0][0]))
    print()
    header("servers", "journal, bytes a server", "of these not free for the next run", "at most")
    for servers, one in taken.items():
        row(f"{servers:,}", one.on_disk, one.filled, 250)


def _asked(step: Step) -> str:
    seconds = "{:g} s; {:g} s".format(*step.seconds) if any(step.seconds) else ""
    return seconds or "{} MiB; {} MiB".format(*step.memory)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
