"""A run whose streams, terminal or file descriptors go away: it goes on, writes its report, and ends as it would have."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import pytest

from tests.cli.conftest import JOBSPEC, Program
from tests.cli.processes import LONGEST_S, ended, read_lines
from tests.cli.serving import StartSimulator
from tests.cli.test_runs import SLOW, report_of

pytestmark = pytest.mark.process

FULL = Path("/dev/full")
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(program: Program) -> Iterator[Start]:
    processes: list[subprocess.Popen[str]] = []

    def run(
        *arguments: str | Path,
        before: str = ":",
        env: Mapping[str, str] = program.env,
        stdout: Any = subprocess.PIPE,
        stderr: Any = subprocess.PIPE,
    ) -> Any:
        """Start a run from a shell that has done something `before`."""
        command = ["sh", "-c", f'{before}; exec "$@"', "sh", *program.command("run", program.jobspec, *arguments)]
        process = subprocess.Popen(command, cwd=program.folder, env=env, text=True, stdout=stdout, stderr=stderr)
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def went_well(process: subprocess.Popen[str], program: Program) -> dict[str, Any]:
    """The run's part of its report, once the program has ended with the run's own exit code."""
    assert process.wait(LONGEST_S) == 0
    report = report_of(program)
    assert report["counts"]["succeeded"] == report["counts"]["servers"]
    assert report["run"]["exit_code"] == 0
    part: dict[str, Any] = report["run"]
    return part


def read_one_line(stream: IO[str] | None) -> None:
    """As `head -1` does."""
    assert stream is not None
    assert stream.readline()
    stream.close()


def test_nobody_reads_the_log_any_more(start: Start, program: Program, simulator: StartSimulator) -> None:
    process = start("-v", "--endpoint", simulator(SLOW))
    read_one_line(process.stderr)
    assert "BrokenPipeError" in went_well(process, program)["display_lost"]
    assert process.stdout is not None
    assert "8 succeeded" in process.stdout.read()


def test_nobody_reads_anything_any_more(start: Start, program: Program, simulator: StartSimulator) -> None:
    process = start("-v", "--endpoint", simulator(SLOW), stderr=subprocess.STDOUT)
    read_one_line(process.stdout)
    assert "BrokenPipeError" in went_well(process, program)["display_lost"]


def test_the_summary_has_no_reader(start: Start, program: Program, simulator: StartSimulator) -> None:
    process = start("--endpoint", simulator())
    assert process.stdout is not None
    process.stdout.close()
    assert went_well(process, program)["display_lost"] is None


def test_warnings_before_the_run_have_no_reader(start: Start, program: Program, simulator: StartSimulator) -> None:
    program.jobspec.write_text(JOBSPEC.replace("  - name: all", '  - {name: none, select: "false"}\n  - name: all'))
    ours, theirs = os.pipe()
    os.close(ours)
    process = start("--endpoint", simulator(), stderr=theirs)
    os.close(theirs)
    assert went_well(process, program)["display_lost"] is not None


def test_the_disk_of_the_log_is_full(start: Start, program: Program, simulator: StartSimulator) -> None:
    with FULL.open("w") as full:
        process = start("--endpoint", simulator(), stdout=full, stderr=full)
        assert "No space left" in went_well(process, program)["display_lost"]


@pytest.mark.parametrize("form", [[], ["--log-format", "json"]])
def test_a_terminal_that_is_closed(start: Start, program: Program, simulator: StartSimulator, form: list[str]) -> None:
    ours, theirs = pty.openpty()
    env = {**program.env, "TERM": "xterm"}
    process = start("-v", *form, "--endpoint", simulator(SLOW), stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    assert os.read(ours, 1)
    os.close(ours)
    assert went_well(process, program)["display_lost"] is not None


@pytest.mark.parametrize("closed", [{0}, {1}, {2}, {0, 1, 2}])
def test_streams_that_were_never_there(
    start: Start, program: Program, simulator: StartSimulator, closed: set[int]
) -> None:
    process = start("--endpoint", simulator(), before="exec " + " ".join(f"{descriptor}>&-" for descriptor in closed))
    went_well(process, program)
    assert program("verify", "last").returncode == 0


def test_a_locale_that_has_not_every_character(start: Start, program: Program, simulator: StartSimulator) -> None:
    (program.folder / "fleet.csv").write_text("id,name\nid-1,größe\n", encoding="utf-8")
    env = {**program.env, "PYTHONIOENCODING": "iso8859-5"}
    url = simulator("tasks: {duration_s: 1, failing: 1.0}\njobs: {nulls: true}\n")
    process = start("--endpoint", url, "--log-format", "console", env=env)
    assert process.wait(LONGEST_S) == 3
    assert report_of(program)["run"]["display_lost"] is None
    assert process.stdout is not None
    assert r"gr\xf6\xdfe" in process.stdout.read()


@pytest.mark.parametrize("against", ["a service", "a simulator of its own"])
def test_few_file_descriptors(start: Start, program: Program, simulator: StartSimulator, against: str) -> None:
    program.servers(200)
    program.jobspec.write_text(
        JOBSPEC.replace("concurrency: 4", "concurrency: 100").replace("per_job: 2", "per_job: 1")
    )
    where = ["--endpoint", simulator(SLOW)] if against == "a service" else ["--simulate", "-b", "slow.yaml"]
    (program.folder / "slow.yaml").write_text(SLOW)
    if against != "a service":
        where[1] = "--behaviour"

    process = start(*where, before="ulimit -n 64")
    _, _, err = ended(process)
    went_well(process, program)
    assert "Too many open files" not in err
    assert "unreachable" not in err


def hung_up(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    process.send_signal(signal.SIGHUP)
    code, out, err = ended(process)
    assert "Traceback" not in err
    return code, out, err


def test_a_session_that_ends_stops_the_run_with_a_report(
    start: Start, program: Program, simulator: StartSimulator
) -> None:
    process = start("--endpoint", simulator(lasting=True))
    read_lines(process)
    process.send_signal(signal.SIGHUP)
    assert process.stderr is not None
    assert "stopping" in process.stderr.readline()
    assert hung_up(process)[0] == 5  # once by the terminal, once by the shell
    assert report_of(program)["run"]["reason"] == "SIGHUP received"
    simulator.let_tasks_end()
    assert program("resume", "last").returncode == 0


def test_a_session_that_ends_while_planning(start: Start, program: Program) -> None:
    fifo = program.folder / "fleet.csv"
    fifo.unlink()
    os.mkfifo(fifo)
    process = start("--simulate")
    with fifo.open("w") as writer:  # opened once the program reads its inventory, which then never ends
        code, _, err = hung_up(process)
        del writer
    assert (code, "nothing more is done" in err) == (5, True)


def test_a_run_under_nohup_goes_on(start: Start, program: Program, simulator: StartSimulator) -> None:
    process = start("--endpoint", simulator(SLOW), before="trap '' HUP")
    read_lines(process)
    assert hung_up(process)[0] == 0
    assert report_of(program)["run"]["state"] == "finished"


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_reader_that_is_stuck_does_not_stop_the_run(
    start: Start, program: Program, simulator: StartSimulator, form: str
) -> None:
    """As `less` is that nobody scrolls on. What does not fit into the pipe is not shown."""
    program.servers(900)
    program.jobspec.write_text(
        JOBSPEC.replace("servers_per_job: 2", "servers_per_job: 1").replace("concurrency: 4", "concurrency: 64")
    )
    process = start("-v", "--log-format", form, "--endpoint", simulator())
    assert went_well(process, program)["display_lost"] is None
    assert process.stderr is not None
    assert "run started" in process.stderr.readline()
