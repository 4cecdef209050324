"""Checks of a rollout as real programs and real HTTP: passed, failed, hanging, missing; and what they say."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cli.conftest import BEHAVIOUR, JOBSPEC, Program
from tests.cli.processes import LONGEST_S
from tests.cli.rollouts import WAVES, decisions, given, operated, report, with_rollout
from tests.cli.serving import StartSimulator
from tests.waiting import eventually

ONE_WAVE = "waves: [{name: everything}]"
# A job of two servers is refused: so that a step fails where another does not.
ONE_AT_A_TIME = BEHAVIOUR + "jobs: {most_servers: 1}\n"


class Health(BaseHTTPRequestHandler):
    """Answers 200 and 500 by path; at /nothing it only hangs up."""

    def do_GET(self) -> None:
        if self.path == "/nothing":
            self.close_connection = True
            return
        self.send_response(int(self.path.strip("/")))
        self.end_headers()
        self.wfile.write(b"fleet: " + self.path.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  likewise
        """Nothing: the tests read what the run says."""


@pytest.fixture
def health() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Health) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def aborted_by(program: Program, url: str, check: str) -> str:
    """Run with a check that must fail; return what it said."""
    with_rollout(program, ONE_WAVE, f"checks: [{{name: health, {check}}}]", "on_breach: abort")
    given(
        program, "run", str(program.jobspec), "--endpoint", url, code=4, says="check `health` of wave everything failed"
    )
    found = report(program)
    assert decisions(found) == ["start", "check_failed", "abort"]
    assert found["decisions"][2]["evidence"] == f"check `health` of wave everything failed: {said(found)}"
    return said(found)


def said(found: dict[str, object]) -> str:
    decided = found["decisions"]
    assert isinstance(decided, list)
    evidence: str = next(d["evidence"] for d in decided if d["what"].startswith("check_"))
    return evidence.removeprefix("health").removeprefix(": ")


def test_a_command_that_passes_opens_the_gate(program: Program, simulator: StartSimulator) -> None:
    command = 'command: [sh, -c, "echo well, {{ wave.name }}"]'
    with_rollout(program, ONE_WAVE, f"checks: [{{name: health, {command}}}]")
    given(program, "run", str(program.jobspec), "--endpoint", simulator())
    found = report(program)
    assert decisions(found) == ["start", "check_passed", "pass"]
    assert said(found) == "well, everything"
    given(program, "verify", "last")


def test_a_command_that_fails_or_is_gone_when_it_is_made(program: Program, simulator: StartSimulator) -> None:
    url = simulator()
    assert aborted_by(program, url, 'command: [sh, -c, "echo 3 are ill >&2; exit 7"]') == "exit 7: 3 are ill"
    gone = program.folder / "gone.sh"
    gone.write_text("#!/bin/sh\n")
    gone.chmod(0o700)
    checks = "checks: [{name: removed, command: [rm, gone.sh]}, {name: health, command: [./gone.sh]}]"
    with_rollout(program, ONE_WAVE, checks, "on_breach: abort")
    says = f"check `health` of wave everything failed: there is no `./gone.sh` in {program.folder}"
    given(program, "run", str(program.jobspec), "--endpoint", url, code=4, says=says)


def test_a_command_that_hangs_is_ended_with_all_its_children(program: Program, simulator: StartSimulator) -> None:
    # The child does not heed the first signal, and keeps nothing open that its parent's end would close.
    child = "trap '' TERM; echo $$ > child; exec >/dev/null 2>&1; while :; do sleep 1; done"
    (program.folder / "hang.sh").write_text(
        f'sh -c "{child.replace("$$", chr(92) + "$" + chr(92) + "$")}" & sleep 600\n'
    )
    assert aborted_by(program, simulator(), "command: [sh, hang.sh], timeout: 1s") == "not over within 1 s"
    pid = int((program.folder / "child").read_text())
    assert not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2]


def test_a_command_that_says_very_much_is_quoted_by_its_end(program: Program, simulator: StartSimulator) -> None:
    much = 'command: [sh, -c, "yes | head -c 50000000; echo the end; exit 1"]'
    words = aborted_by(program, simulator(), much)
    assert words.endswith("y\ny\nthe end")
    assert len(words) < 600


def test_http_that_is_well_ill_and_silent(program: Program, simulator: StartSimulator, health: str) -> None:
    url = simulator()
    assert aborted_by(program, url, f"http: {health}/500") == "HTTP 500 fleet: /500"
    assert aborted_by(program, url, f"http: {health}/nothing") != ""
    assert aborted_by(program, url, "http: http://127.0.0.1:1/") == "no connection to 127.0.0.1:1: Connection refused"
    with_rollout(program, ONE_WAVE, f"checks: [{{name: health, http: {health}/200}}]")
    given(program, "run", str(program.jobspec), "--endpoint", url)
    assert said(report(program)) == "HTTP 200 fleet: /200"


@pytest.mark.parametrize("padding", [0, 480, 490, 495])
def test_no_secret_that_a_check_prints_is_recorded(program: Program, simulator: StartSimulator, padding: int) -> None:
    program.env["TOKEN"] = "s3cr3t-value"
    text = JOBSPEC.replace('version: "1.0"', 'version: "x-{{ secret.TOKEN }}"')
    prints = f'command: [sh, -c, "echo $TOKEN $HUAWEICLOUD_SDK_SK; head -c {padding} /dev/zero | tr 0 y; exit 1"]'
    asks = "env: [TOKEN, HUAWEICLOUD_SDK_SK]"
    with_rollout(program, ONE_WAVE, f"checks: [{{name: health, {prints}, {asks}}}]", "on_breach: abort", on=text)
    result = program("run", program.jobspec, "--endpoint", simulator())
    assert result.returncode == 4, result.stderr
    program("report", "last")
    files = [path.read_bytes() for path in program.folder.rglob("*") if path.is_file()]
    written = b"".join(files) + result.stdout.encode() + result.stderr.encode()
    # Nor the ends of it, where what was said is cut.
    for ending in ("s3cr3t-value", "ret-value", "SIMULATORSK", "LATORSK"):
        assert ending.encode() not in written


@pytest.mark.process
def test_a_check_that_failed_is_made_again_when_a_person_says_so(program: Program, simulator: StartSimulator) -> None:
    with_rollout(program, WAVES, "checks: [{name: health, command: [test, -e, well]}]")
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator()) as run:
        run.until("held", rule="check")
        run.give("continue", "last")
        run.until("held", rule="check")
        (program.folder / "well").touch()
        assert "check `health` of wave canary failed: exit 1" in run.give("show", "last")
        run.give("continue", "last")
        found = run.ends(0)
    assert decisions(found)[:6] == ["start", "check_failed", "hold", "continue", "check_failed", "hold"]


@pytest.mark.process
def test_a_step_that_failed_as_a_check_is_left_to_a_person(program: Program, simulator: StartSimulator) -> None:
    step = "  - name: look\n    type: LOG_COLLECT\n    job_name: look\n    items: [{type: DEVICE_LOG_COLLECT, spec: {days: 1}}]\n"
    text = JOBSPEC.replace("submit:", step + "submit:").replace("servers_per_job: 2", "servers_per_job: 1")
    with_rollout(program, WAVES, "checks: [{name: a look, step: look}]", on=text)
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator(ONE_AT_A_TIME)) as run:
        assert run.until("held", rule="check")["reason"].endswith("2 servers did not succeed")
        run.give("continue", "last", "--why", "the look is broken, not the servers")
        run.until("wave passed", wave="canary")
        run.until("held", rule="check")
        run.give("continue", "last")
        found = run.ends(0)
    assert found["counts"]["succeeded"] == 8


def written(path: Path) -> str:
    """What a whole line in a file says, once it is there."""
    text = path.read_text() if path.exists() else ""
    return text if text.endswith("\n") else ""


@pytest.mark.process
def test_a_check_ends_with_a_run_that_is_killed(program: Program, simulator: StartSimulator) -> None:
    hang = 'command: [sh, -c, "echo $$ > child; sleep 600; exit 0"], timeout: 1h'
    with_rollout(program, WAVES, f"checks: [{{name: health, {hang}}}]")
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator()) as run:
        run.until("wave started")
        child = os.pidfd_open(int(eventually(lambda: written(program.folder / "child"))))
        run.killed()
    assert select.select([child], [], [], LONGEST_S)[0], "the check outlives its run"
    os.close(child)


def test_what_a_check_leaves_behind_does_not_hold_a_run_up(program: Program, simulator: StartSimulator) -> None:
    leaves = 'command: [sh, -c, "sleep 600 & echo $! > child; echo well"], timeout: 1h'
    with_rollout(program, ONE_WAVE, f"checks: [{{name: health, {leaves}}}]")
    given(program, "run", str(program.jobspec), "--endpoint", simulator())
    assert said(report(program)) == "well"
    os.kill(int((program.folder / "child").read_text()), signal.SIGKILL)


@pytest.mark.process
@pytest.mark.parametrize("how", ["abort", "signal"])
def test_a_check_at_work_does_not_keep_a_run_from_its_end(
    program: Program, simulator: StartSimulator, how: str
) -> None:
    hang = 'command: [sh, -c, "echo $$ > child; exec sleep 600"], timeout: 1h'
    with_rollout(program, WAVES, f"checks: [{{name: health, {hang}}}]")
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator()) as run:
        run.until("wave started")
        child = eventually(lambda: written(program.folder / "child"))
        if how == "abort":
            run.give("abort", "last")
        else:
            run.process.send_signal(signal.SIGINT)
        run.ends(4 if how == "abort" else 5)
    with pytest.raises(ProcessLookupError):
        os.kill(int(child), 0)


@pytest.mark.process
def test_a_check_is_made_anew_when_the_run_was_killed_in_it(program: Program, simulator: StartSimulator) -> None:
    wait = 'command: [sh, -c, "touch begun; while [ ! -e well ]; do sleep 0.1; done"]'
    with_rollout(program, WAVES, f"checks: [{{name: health, {wait}}}]")
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator()) as run:
        run.until("wave started")
        eventually((program.folder / "begun").exists)
        run.killed()
    (program.folder / "well").touch()
    given(program, "resume", "last", says="every server succeeded")
