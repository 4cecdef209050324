"""Whatever becomes of its output, a command does its work and ends with its own exit code."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
from collections.abc import Sequence

import pytest

from tests.cli.conftest import Program
from tests.cli.processes import LONGEST_S, ended, read_lines
from tests.cli.serving import StartSimulator
from tests.cli.shells import COMMANDS, PLAN, RUN, TRACES, ends, ends_unread, furnish
from tests.waiting import eventually

pytestmark = pytest.mark.process

LOST = "error: the output could not be written: "


@pytest.fixture
def furnished(program: Program) -> Program:
    furnish(program)
    return program


def is_clean(said: str) -> bool:
    return not any(trace in said for trace in TRACES)


def as_words(arguments: Sequence[str]) -> str:
    return " ".join(arguments)


@pytest.mark.parametrize("arguments", COMMANDS, ids=as_words)
def test_each_command_keeps_its_exit_code(furnished: Program, arguments: tuple[str, ...]) -> None:
    code = COMMANDS[arguments]
    whole = furnished(*arguments)
    assert (whole.returncode, is_clean(whole.stderr)) == (code, True), whole.stderr

    unread, err = ends_unread(furnished, arguments)
    assert (unread, is_clean(err), LOST in err) == (code, True, False)

    closed, _, err = ends(furnished, arguments, ">&-")
    assert (closed, is_clean(err), LOST in err) == (code, True, False)

    full, _, err = ends(furnished, arguments, ">/dev/full")
    assert (full, is_clean(err)) == (code, True)
    assert (f"{LOST}No space left on device\n" in err) == bool(whole.stdout)

    if whole.stderr:
        for shell in ("2>&-", "2>/dev/full >&2"):
            silent, out, _ = ends(furnished, arguments, shell)
            assert (silent, is_clean(out)) == (code, True), shell


@pytest.mark.parametrize("arguments", [("--help",), ("list",), PLAN, RUN], ids=as_words)
@pytest.mark.parametrize("shell", ["<&- >&- 2>&-", "<&-", "1</dev/null", "2</dev/null"])
def test_each_stream_may_be_none(furnished: Program, arguments: tuple[str, ...], shell: str) -> None:
    code, out, err = ends(furnished, arguments, shell)
    assert code == COMMANDS[arguments]
    assert is_clean(out + err)


def test_a_descriptor_for_reading_takes_no_result(furnished: Program) -> None:
    assert f"{LOST}Bad file descriptor" in ends(furnished, PLAN, "1</dev/null")[2]


def into_a_small_pipe(program: Program, *, blocking: bool) -> tuple[subprocess.Popen[bytes], int]:
    """A command that says more than the pipe holds, and the end that is read."""
    ours, theirs = os.pipe()
    fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(theirs, blocking)
    command = program.command("schema", "report")
    process = subprocess.Popen(command, cwd=program.folder, env=program.env, stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    return process, ours


def test_a_reader_of_one_line(furnished: Program) -> None:
    """As `head -1` is: it goes while the program is still writing."""
    process, ours = into_a_small_pipe(furnished, blocking=True)
    assert os.read(ours, 1) == b"{"
    os.close(ours)
    assert process.communicate(timeout=LONGEST_S)[1] == b""
    assert process.returncode == 0


def test_a_pipe_that_others_made_non_blocking(furnished: Program) -> None:
    process, ours = into_a_small_pipe(furnished, blocking=False)
    with os.fdopen(ours, "rb") as reader:
        assert json.loads(reader.read())["title"] == "report"
    assert process.communicate(timeout=LONGEST_S)[1] == b""
    assert process.returncode == 0


def test_a_log_on_a_pipe_that_others_made_non_blocking(program: Program) -> None:
    furnish(program)
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    command = program.command(*RUN, "-v", "--log-format", "json", "--report", "r.json")
    process = subprocess.Popen(command, cwd=program.folder, env=program.env, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    with os.fdopen(ours, "rb") as reader:
        assert b"run started" in reader.readline()
        assert process.communicate(timeout=LONGEST_S)[0]
    assert process.returncode == 3
    assert json.loads((program.folder / "r.json").read_text())["run"]["display_lost"] is None


@pytest.mark.parametrize("shell", [">&-", "2>&-", ">/dev/full", "2>/dev/full", ">/dev/full 2>&1", "<&- >&- 2>&-"])
def test_what_a_person_asks_for_is_done_and_on_record(program: Program, simulator: StartSimulator, shell: str) -> None:
    run = program.start("run", "job.yaml", "--endpoint", simulator(lasting=True))
    read_lines(run)
    assert ends(program, ("pause", "last", "--why", "unread"), shell)[0] == 0
    shown = program("show", "last").stdout
    assert "pause unread (by " in shown
    assert ends(program, ("pause", "last"), shell)[0] == 6
    run.send_signal(signal.SIGINT)
    assert ended(run)[0] == 5
    assert ends(program, ("abort", "last", "--why", "over"), shell)[0] == 0


@pytest.mark.parametrize("shell", [">&-", "2>&-", ">/dev/full"])
def test_a_simulator_serves_without_its_streams(program: Program, shell: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    process = program.start("simulate", "--port", str(address[1]), within=("sh", "-c", f'exec "$@" {shell}', "sh"))
    eventually(lambda: _answers(address))
    process.send_signal(signal.SIGINT)
    code, out, err = ended(process)
    assert (code, is_clean(out + err)) == (5, True)


def _answers(address: tuple[str, int]) -> bool:
    with socket.socket() as client:
        return client.connect_ex(address) == 0


def test_a_word_is_completed_without_a_reader(program: Program) -> None:
    program.env |= {"_RUNNER_COMPLETE": "bash_complete", "COMP_WORDS": "runner pl", "COMP_CWORD": "1"}
    assert ends(program, ())[:2] == (0, "plain,plan\n")
    assert ends_unread(program, ()) == (0, "")


def test_what_cannot_be_read_of_standard_input(program: Program) -> None:
    (program.folder / "written").touch()
    for arguments in (("plan", "-"), (*PLAN, "-i", "-"), (*PLAN, "--limit", "@-"), (*PLAN, "--vars-file", "-")):
        code, _, err = ends(program, arguments, "0>written")
        assert (code, err) == (2, "error: standard input: cannot be read: Bad file descriptor\n")
        code, _, err = ends(program, arguments, "<&-")
        assert code == 2
        assert "is to be read from standard input, which is closed" in err
