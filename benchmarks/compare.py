"""This tree beside another commit, in turn, in a few minutes: `make bench-compare REV=...`.

The short forms of what the other benchmarks measure, by the command line alone, so that any commit can be measured. Both
run with the packages of this environment, against one server.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from benchmarks.submission import JOBSPEC, nginx
from benchmarks.tools import CLIENT_CORE, header, median, pinned, row

ROUNDS = 3
CREATES = 6_000
PLANNED = 100_000
JOBS = 60
SCALED = (10_000, 100_000)
HERE = Path(__file__).parent.parent

ROLLOUT = """\
rollout:
  waves: [{name: ramp, sizes: [1%, 25%, rest]}]
  order: stratified
  strata: [labels.rack]
  budget: {max_abnormal: 5%, per: {labels.rack: 4}}
"""
SLOW_JOBS = """\
throttle: {creates: null, reads: null}
listing: {lag_s: 0.5}
tasks: {duration_s: 4, spread: 0.3}
"""
QUICK_JOBS = """\
throttle: {creates: null, reads: null}
listing: {lag_s: 0.1}
tasks: {duration_s: 1}
"""


class Bench(NamedTuple):
    """Where to measure: a folder for files, and a server that answers every create."""

    folder: Path
    url: str


class Used(NamedTuple):
    """What a command took: CPU seconds, and MiB of memory at most."""

    cpu_s: float
    peak_mib: float


Figures = dict[str, float]


def run(tree: Path, folder: Path, *arguments: str | Path) -> Used:
    """One command of the program as it is in a tree."""
    environ = {**os.environ, "PYTHONPATH": str(tree), "HUAWEICLOUD_SDK_AK": "a", "HUAWEICLOUD_SDK_SK": "b"}
    environ |= {"PYTHONPYCACHEPREFIX": str(folder.parent / "compiled")}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    command = pinned(CLIENT_CORE, sys.executable, "-m", "runner", *map(str, arguments))
    with subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
        said = child.stderr.read().decode() if child.stderr else ""
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{tree}: runner {' '.join(map(str, arguments))}: exit {child.returncode}\n{said}")
    return Used(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def write_fleet(folder: Path, servers: int) -> None:
    """Servers in racks of sixteen."""
    with (folder / "fleet.ndjson").open("w") as file:
        file.writelines(
            f'{{"id":"{uuid.UUID(int=number)}","name":"s{number}","rack":"r{number // 16}"}}\n'
            for number in range(servers)
        )


def write_jobspec(folder: Path, port: str, *, per_job: int = 1, more: str = "") -> Path:
    """The jobspec of the other benchmarks."""
    text = JOBSPEC.format(port=port).replace("servers_per_job: 1", f"servers_per_job: {per_job}")
    path = folder / "job.yaml"
    path.write_text(text + more)
    return path


def submission(tree: Path, bench: Bench) -> Figures:
    """Creates, one server each."""
    folder, state = bench.folder, bench.folder / "state"
    write_fleet(folder, CREATES)
    jobspec = write_jobspec(folder, bench.url.rpartition(":")[2])
    used = run(tree, folder, "run", jobspec, "--no-wait", "-q", "--state-dir", state)
    report = json.loads(next((state / "reports").iterdir()).read_bytes())
    return {
        "creates/s, first to last": report["submission"]["creates_per_s"],
        "creates per CPU s, whole command": CREATES / used.cpu_s,
    }


def planning(tree: Path, bench: Bench) -> Figures:
    """A plan, with a rollout and without."""
    write_fleet(bench.folder, PLANNED)
    plain = run(tree, bench.folder, "plan", write_jobspec(bench.folder, "9", per_job=50))
    waves = run(tree, bench.folder, "plan", write_jobspec(bench.folder, "9", per_job=4, more=ROLLOUT))
    return {
        "servers planned per CPU s": PLANNED / plain.cpu_s,
        "servers planned per CPU s, with a rollout": PLANNED / waves.cpu_s,
        "servers per MiB of a plan": PLANNED / plain.peak_mib,
    }


def knowing_the_end(tree: Path, bench: Bench) -> Figures:
    """How soon the end of a job is in the journal."""
    folder, state = bench.folder, bench.folder / "state"
    write_fleet(folder, JOBS)
    (folder / "slow.yaml").write_text(SLOW_JOBS)
    jobspec = write_jobspec(folder, "9", more="watch: {rate: 50/s}\n")
    run(tree, folder, "run", jobspec, "-q", "--simulate", "--behaviour", folder / "slow.yaml", "--state-dir", state)
    late = sorted(_seconds_late(tree, folder, state))
    return {
        "ends known per s of delay, median": 1 / late[len(late) // 2],
        "the same, p95": 1 / late[len(late) * 95 // 100],
    }


def _seconds_late(tree: Path, folder: Path, state: Path) -> Iterator[float]:
    archive = folder / "run.zip"
    archive.unlink(missing_ok=True)
    run(tree, folder, "export", "last", archive, "--state-dir", state)
    with zipfile.ZipFile(archive) as files:
        texts = {name.rpartition("/")[2]: files.read(name) for name in files.namelist()}
    ends = {
        job["job_id"]: datetime.fromisoformat(job["updated_at"]).timestamp()
        for job in json.loads(texts["report.json"])["jobs"]
    }
    entries = (json.loads(line)["events"] for line in texts["journal.ndjson"].splitlines())
    jobs: dict[int, str] = {}
    for event in itertools.chain.from_iterable(entries):
        if event["kind"] == "accepted":
            jobs[event["data"]["request"]] = event["data"]["job"]["job_id"]
        elif event["kind"] == "settled":
            yield max(event["data"]["at"] - ends[jobs[event["data"]["request"]]], 1e-3)


def scale(tree: Path, bench: Bench) -> Figures:
    """Runs of many servers to their end, and what is asked about them afterwards, at two sizes."""
    few, many = (_scaled(tree, bench.folder / str(servers), servers) for servers in SCALED)
    growth = {f"{name}, of that of {SCALED[0]:,}": many[name] / few[name] for name in ("run", "show", "report")}
    return {f"{name}, {SCALED[1]:,} servers": value for name, value in many.items()} | growth


def _scaled(tree: Path, folder: Path, servers: int) -> Figures:
    """Servers for a CPU second, a MiB or a KiB, by what they are taken by."""
    folder.mkdir()
    state = folder / "state"
    write_fleet(folder, servers)
    (folder / "quick.yaml").write_text(QUICK_JOBS)
    jobspec = write_jobspec(folder, "9", per_job=50, more="watch: {rate: unlimited}\n")
    simulated = ("--simulate", "--behaviour", folder / "quick.yaml")
    ran = run(tree, folder, "run", jobspec, "-q", *simulated, "--state-dir", state)
    report = folder / "report.json"
    asked = {
        "show": ("show", "last"),
        "report": ("report", "last", "--report", report),
        "verify": ("verify", report),
    }
    used = {name: run(tree, folder, *arguments, "--state-dir", state) for name, arguments in asked.items()}
    size = sum(path.stat().st_size for path in state.glob("journal.db*"))
    return {
        **{name: servers / one.cpu_s for name, one in {"run": ran, **used}.items()},
        "MiB of a run": servers / ran.peak_mib,
        "MiB of a report": servers / used["report"].peak_mib,
        "KiB of journal": servers / (size / 1024),
    }


FORMS: tuple[Callable[[Path, Bench], Figures], ...] = (submission, planning, knowing_the_end, scale)


@contextmanager
def tree_of(revision: str, folder: Path) -> Iterator[Path]:
    """The files of a commit, for as long as they are needed."""
    path = folder / "other"
    git = ["git", "-C", str(HERE), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(path), revision], check=True)
    try:
        yield path
    finally:
        subprocess.run([*git, "remove", "--force", str(path)], check=True)


def measured(form: Callable[[Path, Bench], Figures], tree: Path, folder: Path, url: str) -> Figures:
    """The figures of one form in a folder of its own."""
    place = folder / "at-work"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    return form(tree, Bench(place, url))


def main(revision: str) -> None:
    """Print what each tree reaches, and the ratio: above 1 this one is better."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name, tree_of(revision, Path(name)) as other:
        folder = Path(name)
        header("more is better", "this tree", revision, "ratio")
        with nginx(folder) as url:
            for form in FORMS:
                rounds = [[measured(form, tree, folder, url) for tree in (HERE, other)] for _ in range(ROUNDS)]
                for figure in rounds[0][0]:
                    here, there = (median([pair[side][figure] for pair in rounds]) for side in (0, 1))
                    row(figure, here, there, here / there)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m benchmarks.compare REV")
    main(sys.argv[1])
