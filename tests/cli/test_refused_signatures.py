"""A key that the service refuses, over real HTTP: how many signatures a strict service counts, whoever sends them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.cli.conftest import JOBSPEC, Program
from tests.cli.inside import ClockSetTo
from tests.cli.processes import ended
from tests.cli.serving import StartSimulator

SAYS = b'{"error_code":"APIGW.0301","error_msg":"verify aksk signature fail"}'


class Strict:
    """A service and an IAM that take nobody. `calls` are the paths that were asked for; `status` is what it answers."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.status = 401
        self.url = ""


@pytest.fixture
def strict() -> Iterator[Strict]:
    service = Strict()
    with serving(service):
        yield service


@contextmanager
def serving(service: Strict) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            service.calls.append(self.path.partition("?")[0])
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(service.status)
            self.send_header("Content-Length", str(len(SAYS)))
            self.end_headers()
            self.wfile.write(SAYS)

        do_POST = do_GET  # noqa: N815  likewise

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def two_lanes(program: Program, service: Strict) -> None:
    """Two projects of the service, and one key for both."""
    groups = """\
groups:
  - {name: one, select: "name < 'server-4'", lane: {project_id: p, endpoint: URL}}
  - {name: two, select: "name >= 'server-4'", lane: {project_id: q, endpoint: URL}}
"""
    head, _, rest = JOBSPEC.partition("lane:\n")
    steps = rest[rest.index("steps:") :]
    program.jobspec.write_text(head + groups.replace("URL", service.url) + steps)


def in_minutes(program: Program, minutes: float) -> None:
    program.clock = ClockSetTo(datetime.now(UTC) + timedelta(minutes=minutes))


@pytest.mark.process
@pytest.mark.parametrize("status", [401, 403])
def test_two_runs_at_once_with_a_wrong_key_make_three_calls_in_all_and_what_follows_none(
    program: Program, strict: Strict, status: int
) -> None:
    strict.status = status
    two_lanes(program, strict)
    started = [program.start("run", program.jobspec, "--limit", f"name[-1] in '{which}'") for which in ("0145", "2367")]
    for process in started:
        code, out, err = ended(process)
        assert code == 7, err
        assert "verify aksk signature fail" in out or "no call is made" in out
    assert len(strict.calls) == 3
    run_ids = [line.split()[0] for line in program("list").stdout.splitlines() if line[:2] == "20"]
    assert len(run_ids) == 2
    again = [program("resume", run_id) for run_id in run_ids for _ in range(2)]
    again += [program("run", program.jobspec), program("retry", *run_ids, "--only", "not_started")]
    for result in again:
        assert result.returncode == 7, result.stderr
        assert "the service refused the access key 3 times in a row" in result.stdout
    assert len(strict.calls) == 3


def test_a_cron_line_that_resumes_every_minute_does_not_lock_the_account(program: Program, strict: Strict) -> None:
    two_lanes(program, strict)
    assert program("run", program.jobspec).returncode == 7
    assert len(strict.calls) == 3
    shown = program("show", "last").stdout
    assert "the service refused the access key 3 times in a row, first at 20" in shown
    assert "Accounts are locked after about five, so it is not tried again before 20" in shown
    calls = []
    for minutes in range(1, 32, 3):
        in_minutes(program, minutes)
        assert program("resume", "last").returncode == 7
        calls.append(len(strict.calls))
    assert calls == [3] * 5 + [4] * 6  # one call, alone, after a quarter of an hour


def test_one_call_more_is_made_where_a_person_wants_it_or_the_secret_is_another_one(
    program: Program, strict: Strict, simulator: StartSimulator
) -> None:
    program.jobspec.write_text(JOBSPEC.replace("  project_id: p\n", f"  project_id: p\n  endpoint: {strict.url}\n"))
    assert program("run", program.jobspec).returncode == 7
    assert program("resume", "last", "--try-credential").returncode == 7
    assert program("resume", "last").returncode == 7
    assert len(strict.calls) == 4
    program.env["HUAWEICLOUD_SDK_SK"] = "ANOTHER"
    for _ in range(3):
        assert program("resume", "last").returncode == 7
    assert len(strict.calls) == 5
    program.env["HUAWEICLOUD_SDK_AK"] = "ANOTHERKEY"
    for _ in range(3):
        assert program("resume", "last").returncode == 7
    assert len(strict.calls) == 8
    written = b"".join(path.read_bytes() for path in program.state.rglob("*") if path.is_file())
    assert b"ANOTHERKEY" not in written
    assert b"SIMULATORAK" not in written


def test_a_secret_that_is_right_goes_on_at_once(program: Program, simulator: StartSimulator) -> None:
    endpoint = simulator()
    program.env["HUAWEICLOUD_SDK_SK"] = "WRONGSECRET"
    assert program("run", program.jobspec, "--endpoint", endpoint).returncode == 7
    assert program("resume", "last").returncode == 7
    program.env["HUAWEICLOUD_SDK_SK"] = "SIMULATORSK"
    assert program("resume", "last").returncode == 0
    program.env["HUAWEICLOUD_SDK_SK"] = "WRONGSECRET"
    result = program("run", program.jobspec, "--endpoint", endpoint)  # one that worked began the count anew
    assert "3 times in a row" in result.stdout


def test_a_rehearsal_neither_knows_nor_tells(program: Program, strict: Strict) -> None:
    two_lanes(program, strict)
    assert program("run", program.jobspec).returncode == 7
    assert program("run", program.jobspec, "--simulate").returncode == 0
    assert program("resume", program("list").stdout.splitlines()[-1].split()[0]).returncode == 7
    assert len(strict.calls) == 3


def test_a_wrong_password_is_tried_twice_whichever_command_does(program: Program, strict: Strict) -> None:
    del program.env["HUAWEICLOUD_SDK_AK"], program.env["HUAWEICLOUD_SDK_SK"]
    program.env |= {"HW_USER_NAME": "someone", "HW_USER_PASSWORD": "thepassword", "HW_DOMAIN_NAME": "account"}
    program.env |= {"HUAWEICLOUD_SDK_IAM_ENDPOINT": strict.url}
    for number in range(4):
        result = program("run", program.jobspec, "--endpoint", strict.url)
        assert result.returncode == 7
        assert "the service refused the user someone and the password 2 times in a row" in result.stderr
        assert ("no call is made" in result.stderr) is (number > 0)
    assert strict.calls == ["/v3/auth/tokens"] * 2
    program.env["HW_USER_PASSWORD"] = "another"  # nothing is kept by which a password could be told from another one
    assert program("run", program.jobspec, "--endpoint", strict.url, "--try-credential").returncode == 7
    assert len(strict.calls) == 3
    in_minutes(program, 31)
    assert program("run", program.jobspec, "--endpoint", strict.url).returncode == 7
    assert len(strict.calls) == 4


def test_a_key_that_iam_refuses_counts_with_that_of_the_service(program: Program, strict: Strict) -> None:
    program.env["HUAWEICLOUD_SDK_IAM_ENDPOINT"] = strict.url
    program.jobspec.write_text(JOBSPEC.replace("  project_id: p\n", "  region: cn-north-9\n"))
    for _ in range(4):
        assert program("run", program.jobspec, "--endpoint", strict.url).returncode == 7
    assert strict.calls == ["/v3/projects"] * 3
    assert program("run", program.jobspec, "--endpoint", strict.url, "--project-id", "p").returncode == 7
    assert len(strict.calls) == 3
