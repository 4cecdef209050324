"""Where the report of a run goes: found before anything is sent, kept with the run, and no reason to end otherwise."""

from __future__ import annotations

import json
import os
import select
import signal
import stat
from pathlib import Path

import pytest

from runner.app.listing import open_store
from tests.cli.conftest import SIMULATED, Program
from tests.cli.processes import ended, killed_after, read_lines, works
from tests.cli.serving import StartSimulator
from tests.cli.test_written_files import FULL, IS_ROOT, NULL, POWERLESS, device, given, in_bash, parts_in, read

process = pytest.mark.process


def state_in(text: str | bytes) -> str:
    """How a run ended, as its report says."""
    found: str = json.loads(text)["run"]["state"]
    return found


def only_submitted(program: Program, url: str, *arguments: str | Path) -> str:
    """The id of a run that is to be gone on with."""
    result = program("run", program.jobspec, "--endpoint", url, "--no-wait", *arguments)
    assert result.returncode == 0, result.stderr
    (row,) = json.loads(program("list", "--format", "json").stdout)
    found: str = row["id"]
    return found


def in_state_folder(program: Program) -> Path:
    (path,) = (program.state / "reports").iterdir()
    return path


# Standard output.


@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_a_report_to_standard_output_is_there_alone(program: Program, quiet: tuple[str, ...]) -> None:
    result = program("run", program.jobspec, *SIMULATED, "--report", "-", *quiet)
    assert result.returncode == 0
    assert state_in(result.stdout) == "finished"
    assert f"report: {in_state_folder(program)}" in result.stderr
    assert in_state_folder(program).read_text() == result.stdout
    assert not (program.folder / "-").exists()


def test_standard_output_is_the_reports_also_where_nothing_is_to_be_done(program: Program) -> None:
    arguments = ("run", program.jobspec, *SIMULATED, "--once-key", "night", "--report", "-")
    assert state_in(program(*arguments).stdout) == "finished"
    again = program(*arguments)
    assert (again.returncode, again.stdout) == (0, "")
    assert "night" in again.stderr


def test_a_resume_in_another_terminal_writes_to_the_state_folder(program: Program, simulator: StartSimulator) -> None:
    only_submitted(program, simulator(), "--report", "-")
    result = program("resume", "last")
    assert (result.returncode, f"report: {in_state_folder(program)}" in result.stdout) == (0, True)
    assert state_in(in_state_folder(program).read_text()) == "finished"


def test_a_resume_to_standard_output_writes_the_file_of_the_run_too(
    program: Program, simulator: StartSimulator
) -> None:
    only_submitted(program, simulator(), "--report", "report.json")
    result = program("resume", "last", "--report", "-")
    assert state_in(result.stdout) == "finished"
    assert (program.folder / "report.json").read_text() == result.stdout


@process
def test_a_reader_of_the_report_that_has_enough_changes_nothing(program: Program) -> None:
    (program.folder / "quick.yaml").write_text("tasks: {duration_s: 0.1, failing_servers: [id-3]}\n")
    command = program.command("run", program.jobspec, *SIMULATED, "--report", "-")
    done = given(program, in_bash('set -o pipefail; "$@" | true', command))
    assert done.returncode == 3, done.stderr
    with Path("/dev/full").open("w") as full:
        done = given(program, command, stdout=full)
    assert done.returncode == 3, done.stderr
    assert "standard output cannot be written: No space left on device; the report is in " in done.stderr


# Part of the run.


def test_a_resume_writes_the_file_of_the_run_from_wherever_it_is_given(
    program: Program, simulator: StartSimulator
) -> None:
    run_id = only_submitted(program, simulator(), "--report", "reports/report.json")
    path = program.folder / "reports/report.json"
    assert state_in(path.read_text()) == "submitted"
    elsewhere = program.folder / "elsewhere"
    elsewhere.mkdir()
    program.folder = elsewhere
    result = program("resume", run_id)
    assert (result.returncode, f"report: {path}" in result.stdout) == (0, True)
    assert state_in(path.read_text()) == "finished"
    assert not (program.state / "reports").exists()
    assert list(elsewhere.iterdir()) == []


def test_a_resume_may_name_another_file_and_the_run_keeps_that(program: Program, simulator: StartSimulator) -> None:
    run_id = only_submitted(program, simulator(), "--report", "first.json")
    assert program("resume", "last", "--report", "second.json", "--deadline", "1h").returncode == 0
    assert state_in((program.folder / "first.json").read_text()) == "submitted"
    assert state_in((program.folder / "second.json").read_text()) == "finished"
    with open_store(program.state) as store:
        assert store.run(run_id).report == str(program.folder / "second.json")


@process
def test_a_run_that_is_killed_at_once_keeps_its_file(program: Program, simulator: StartSimulator) -> None:
    url = simulator(lasting=True)
    killed_after(program.start("run", program.jobspec, "--endpoint", url, "--report", "first.json"), 1)
    killed_after(program.start("resume", "last", "--report", "second.json"), 1)
    simulator.let_tasks_end()
    assert program("resume", "last").returncode == 0
    assert state_in((program.folder / "second.json").read_text()) == "finished"
    assert not (program.folder / "first.json").exists()


@process
def test_a_line_of_a_schedule_writes_one_file_however_often_it_is_started(
    program: Program, simulator: StartSimulator
) -> None:
    url = simulator(lasting=True)
    line = ("run", program.jobspec, "--endpoint", url, "--once-key", "night", "--report", "report.json", "-q")
    killed_after(program.start(*[part for part in line if part != "-q"]), 1)
    simulator.let_tasks_end()
    assert program(*line).returncode == 0
    report = (program.folder / "report.json").read_bytes()
    assert state_in(report) == "finished"
    assert program(*line).returncode == 0  # done already
    assert (program.folder / "report.json").read_bytes() == report


def test_the_file_is_no_part_of_the_plan_nor_of_the_journal(program: Program) -> None:
    assert program("run", program.jobspec, *SIMULATED, "--report", "a-name-of-its-own").returncode == 0
    with open_store(program.state) as store:
        (row,) = store.runs()
        assert b"a-name-of-its-own" not in store.load_plan(row.plan_hash)
        assert "a-name-of-its-own" not in "".join(link.events + link.details for link in store.links(row.id))
        assert row.report == str(program.folder / "a-name-of-its-own")
    assert "a-name-of-its-own" not in (program.folder / "a-name-of-its-own").read_text()


# Found before anything is sent.


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_sent(
    program: Program, simulator: StartSimulator
) -> None:
    url = simulator()
    (program.folder / "link").symlink_to("job.yaml/report.json")
    for place in ("job.yaml/report.json", "link", "x" * 256, "/proc/report.json"):
        result = program("run", program.jobspec, "--endpoint", url, "--report", place)
        assert (result.returncode, "cannot be written" in result.stderr) == (6, True), result.stderr
        assert "name another place" in result.stderr
    assert not simulator.jobs
    assert not program.state.exists()


def test_a_resume_to_a_place_that_cannot_be_written_does_nothing(program: Program, simulator: StartSimulator) -> None:
    only_submitted(program, simulator(), "--report", "report.json")
    assert program("resume", "last", "--report", "job.yaml/report.json").returncode == 6
    assert state_in((program.folder / "report.json").read_text()) == "submitted"
    assert program("resume", "last").returncode == 0
    assert state_in((program.folder / "report.json").read_text()) == "finished"


@process
@pytest.mark.skipif(IS_ROOT and not works(*POWERLESS), reason="root may write everywhere")
def test_a_folder_that_can_only_be_read_is_found_before_anything_is_sent(
    program: Program, simulator: StartSimulator
) -> None:
    folder = program.folder / "folder"
    folder.mkdir(mode=0o555)
    process = program.start(
        "run", program.jobspec, "--endpoint", simulator(), "--report", folder / "report.json",
        within=POWERLESS if IS_ROOT else (),
    )  # fmt: skip
    code, _, err = ended(process)
    assert (code, "report.json cannot be written: Permission denied" in err) == (6, True)
    assert not simulator.jobs


@pytest.mark.parametrize("report", ["report.json", "folder/report.json", "link"])
def test_the_look_leaves_nothing_behind(program: Program, report: str) -> None:
    (program.folder / "link").symlink_to("target")
    before = sorted(program.folder.rglob("*"))
    result = program("run", program.jobspec, *SIMULATED, "--limit", "labels.nothing", "--report", report)
    assert result.returncode == 2
    assert sorted(program.folder.rglob("*")) == before


def test_the_look_changes_nothing_of_a_file_that_is_there(program: Program) -> None:
    path = program.folder / "report.json"
    path.write_text("{}")
    before = path.stat()
    assert program("run", program.jobspec, *SIMULATED, "--limit", "labels.nothing", "--report", path).returncode == 2
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )


# Gone in the meantime.


@process
@pytest.mark.parametrize("named", ["at the start", "by the run before"])
def test_a_place_that_vanishes_during_the_campaign(program: Program, simulator: StartSimulator, named: str) -> None:
    """As from cron: `-q`, and no terminal."""
    url = simulator("tasks: {duration_s: 0.3, failing_servers: [id-3]}\n", lasting=True)
    folder = program.folder / "folder"
    folder.mkdir()
    process = program.start("run", program.jobspec, "--endpoint", url, "--report", "folder/report.json")
    read_lines(process)
    if named != "at the start":
        process.kill()
        process.communicate()
        process = program.start("resume", "last")
        read_lines(process)
    folder.rmdir()
    folder.write_text("")
    simulator.let_tasks_end()
    code, out, err = ended(process)
    report = in_state_folder(program)
    assert code == 3
    assert f"report: {report}" in out
    assert f"error: {folder}/report.json cannot be written: Not a directory; the report is in {report}" in err
    assert state_in(report.read_text()) == "finished"


def test_a_run_goes_on_though_the_place_that_it_was_given_is_gone(program: Program, simulator: StartSimulator) -> None:
    run_id = only_submitted(program, simulator(), "--report", "folder/report.json")
    (program.folder / "folder/report.json").unlink()
    (program.folder / "folder").rmdir()
    (program.folder / "folder").write_text("")
    result = program("resume", run_id)
    assert result.returncode == 0
    assert "it is the place for this run's report: name another with --report" in result.stderr
    assert f"the report is in {in_state_folder(program)}" in result.stderr
    assert program("report", run_id, "-o", "again.json").returncode == 0
    assert (program.folder / "again.json").read_bytes() == in_state_folder(program).read_bytes()


def test_a_report_that_can_be_written_nowhere_is_in_the_journal(program: Program, simulator: StartSimulator) -> None:
    run_id = only_submitted(program, simulator())
    in_state_folder(program).unlink()
    (program.state / "reports").rmdir()
    (program.state / "reports").write_text("")
    result = program("resume", run_id, "-q")
    last = f"run {run_id} of test finished: 8 of 8 servers succeeded, exit 0\n"
    assert (result.returncode, result.stdout) == (0, last)
    assert (
        f"cannot be written: Not a directory; nothing is lost: once there is room, `runner report {run_id} -o FILE`"
        in (result.stderr)
    )
    assert program("report", run_id, "-o", "again.json").returncode == 0
    assert state_in((program.folder / "again.json").read_text()) == "finished"


# Streams.


@pytest.mark.parametrize("minor", [NULL, FULL])
def test_a_device_is_written_and_the_state_folder_has_the_report(program: Program, minor: int) -> None:
    path = device(program.folder / "device", minor)
    result = program("run", program.jobspec, *SIMULATED, "--report", path)
    assert result.returncode == 0
    assert state_in(in_state_folder(program).read_text()) == "finished"
    assert ("No space left on device; the report is in " in result.stderr) == (minor == FULL)
    assert path.is_char_device()


def test_a_fifo_is_the_runs_as_a_file_is(program: Program, simulator: StartSimulator) -> None:
    fifo = program.folder / "fifo"
    os.mkfifo(fifo)
    with read(fifo) as come:
        only_submitted(program, simulator(), "--report", "fifo")
        assert state_in(come()) == "submitted"
    with read(fifo) as come:
        assert program("resume", "last").returncode == 0
        assert state_in(come()) == "finished"
    assert fifo.is_fifo()


@process
def test_a_process_of_the_shell_that_has_ended_changes_nothing(program: Program) -> None:
    done = given(program, in_bash('"$@" --report >(true)', program.command("run", program.jobspec, *SIMULATED)))
    assert done.returncode == 0
    assert f"Broken pipe; the report is in {in_state_folder(program)}" in done.stderr


@process
def test_a_reader_that_is_stuck_can_be_given_up(program: Program) -> None:
    """The run is over, so its exit code is what it is."""
    program.servers(900)
    fifo = program.folder / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    process = program.start("run", program.jobspec, *SIMULATED, "--report", fifo)
    select.select([reader], [], [])  # it has begun to write
    process.send_signal(signal.SIGINT)
    code, _, err = ended(process)
    os.close(reader)
    assert code == 0
    assert f"the report is in {in_state_folder(program)}" in err


def test_the_report_of_the_state_folder_is_for_its_owner(program: Program) -> None:
    assert program("run", program.jobspec, *SIMULATED).returncode == 0
    assert program("report", "last").returncode == 0
    assert stat.S_IMODE(in_state_folder(program).stat().st_mode) == 0o600
    assert parts_in(program.state / "reports") == []
