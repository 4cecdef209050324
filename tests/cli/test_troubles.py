"""What can happen to a run at its worst moment: a full disk, bad TLS, Ctrl-C at each stage, a terminal to draw on."""

from __future__ import annotations

import http.server
import json
import os
import pty
import re
import signal
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import BEHAVIOUR, SIMULATED, Program
from tests.cli.processes import LONGEST_S, ended, read_lines
from tests.cli.rollouts import report
from tests.cli.serving import StartSimulator
from tests.cli.test_runs import SLOW, report_of
from tests.waiting import eventually


@pytest.mark.process
def test_a_full_disk_stops_the_run_and_nothing_is_lost(program: Program, simulator: StartSimulator) -> None:
    program.servers(400)
    url = simulator(SLOW)
    full = ("sh", "-c", f'ulimit -f {300_000 // 512} && exec "$@"', "sh")  # no file may be longer, in blocks
    code, _, err = ended(program.start("run", program.jobspec, "--endpoint", url, within=full))
    assert code == 6, err
    assert "runner resume" in err
    assert "Traceback" not in err
    result = program("resume", "last")
    assert result.returncode == 0, result.stderr
    jobs = report_of(program)["jobs"]
    assert {job["state"] for job in jobs} == {"settled"}
    assert len({job["job_id"] for job in jobs}) == 200


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.process
def test_tls_that_does_not_verify_stops_before_anything_is_sent(program: Program, tls_server: str) -> None:
    result = program("run", program.jobspec, "--endpoint", tls_server)
    assert result.returncode == 7
    assert "the TLS certificate of 127.0.0.1 does not verify" in result.stdout
    assert "Traceback" not in result.stderr
    assert report_of(program)["counts"]["not_started"] == 8


def interrupted(process: subprocess.Popen[str], times: int = 1) -> tuple[int, str, str]:
    for _ in range(times):
        process.send_signal(signal.SIGINT)
    code, out, err = ended(process)
    assert "Traceback" not in err
    return code, out, err


@pytest.mark.process
def test_ctrl_c_while_planning_sends_nothing(program: Program) -> None:
    fifo = program.folder / "fleet.csv"
    fifo.unlink()
    os.mkfifo(fifo)
    process = program.start("run", program.jobspec, "--simulate")
    with fifo.open("w") as writer:  # opened once the program reads its inventory, which then never ends
        code, _, err = interrupted(process)
        del writer
    assert (code, "nothing more is done" in err) == (5, True)
    assert not list(program.state.glob("reports/*"))


@pytest.mark.process
def test_ctrl_c_while_watching_leaves_the_jobs_to_be_watched_later(program: Program, simulator: StartSimulator) -> None:
    process = program.start("run", program.jobspec, "--endpoint", simulator(lasting=True))
    read_lines(process)
    eventually(lambda: report(program)["requests"]["accepted"] == 4)
    code, out, _ = interrupted(process)
    assert (code, "runner resume" in out) == (5, True)
    simulator.let_tasks_end()
    assert program("resume", "last").returncode == 0
    assert report_of(program)["counts"]["succeeded"] == 8


@pytest.mark.process
def test_ctrl_c_twice_ends_the_run_at_once_and_it_goes_on_later(program: Program, simulator: StartSimulator) -> None:
    url = simulator(BEHAVIOUR + "faults: {script: {1: {kind: hang, executed: true}}}\n")
    process = program.start("run", program.jobspec, "--endpoint", url)
    read_lines(process)
    eventually(lambda: report(program)["requests"]["in_doubt"])  # one is on its way
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    stopping = json.loads(process.stderr.readline())
    assert stopping["reason"] == "SIGINT received"
    said = r"waiting for 1 request that is on its way, until \d\d:\d\d:\d\d UTC at the latest; a second Ctrl-C ends it at once"
    assert re.fullmatch(said, stopping["waits"])
    code, _, err = interrupted(process)
    assert code == 5, err
    result = program("resume", "last")
    assert result.returncode == 0, result.stdout + result.stderr
    assert report_of(program)["counts"]["succeeded"] == 8


@pytest.mark.process
def test_a_terminal_shows_a_picture_and_the_last_one_stays(program: Program) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        program.command("run", program.jobspec, *SIMULATED),
        cwd=program.folder,
        env={**program.env, "TERM": "xterm", "COLUMNS": "120"},
        stdout=subprocess.DEVNULL,
        stderr=follower,
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            shown += os.read(leader, 65536)
        except OSError:  # the other end is closed: the program has ended
            break
    os.close(leader)
    assert process.wait(LONGEST_S) == 0
    assert b"8 of 8 done" in shown
    assert b"every server succeeded" in shown.rpartition(b"\x1b[?1049l")[2]
    assert shown.replace(b"\r", b"").splitlines()[-1].strip(), "no blank lines at its end"
