"""One mistake of each kind: one clear message, the right exit code, no traceback."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.cli.conftest import JOBSPEC, Program
from tests.cli.rollouts import with_rollout
from tests.cli.serving import StartSimulator


def refused(program: Program, *arguments: str | Path, code: int, says: str) -> str:
    result = program(*arguments)
    assert result.returncode == code, result.stderr + result.stdout
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("groups:", "grups:", "job.yaml:6:1: unknown key `grups`\n  did you mean `groups`?"),
        (
            "job_name: hdk",
            'job_name: "hdk-{{ nme }}"',
            "job.yaml:12:15: steps[0].job_name: template: 'nme' is undefined",
        ),
        ('select: "true"', "select: labels.ring ==", "job.yaml:8:13: groups[0].select: expression:"),
        ("job_name: hdk", "job_name: has space", "is refused by the service; expected 1 to 64"),
        (
            "rate: unlimited, settle",
            "rate: 10, settle",
            "expected a rate such as 10/s, 600/m or unlimited, found the number 10; write 10/s or 10/m",
        ),
        ("inventory: fleet.csv", "inventory: flet.csv", "flet.csv: cannot be read: No such file"),
        ("name: test", "name: test\nname: again", "duplicate key `name`"),
        ('version: "1.0"', "version: [1]", "expected text, a number or a boolean, found a list"),
    ],
)
def test_a_mistake_in_the_jobspec(program: Program, old: str, new: str, says: str) -> None:
    program.jobspec.write_text(JOBSPEC.replace(old, new))
    refused(program, "validate", program.jobspec, "--region", "cn-north-9", code=2, says=says)


def test_all_mistakes_of_a_file_are_said_at_once(program: Program) -> None:
    program.jobspec.write_text(JOBSPEC.replace("groups:", "grups:").replace("servers_per_job: 2", "servers_per_job: 0"))
    said = refused(program, "validate", program.jobspec, code=2, says="grups")
    assert "servers_per_job: expected at least 1, found the number 0" in said


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("id,name\na,b\na,c\n", "fleet.csv:3: the id a stands on line 2 already"),
        ("id,name\nbad id,b\n", "fleet.csv:2: 'bad id' is no valid id"),
        ("name\nb\n", "fleet.csv:1: the first line must name the columns, one of them `id`"),
        ("id,name\na,b,c\n", "fleet.csv:2: 3 values, the first line names 2 columns"),
    ],
)
def test_a_mistake_in_the_inventory(program: Program, rows: str, says: str) -> None:
    (program.folder / "fleet.csv").write_text(rows)
    refused(program, "validate", program.jobspec, "--region", "cn-north-9", code=2, says=says)


def test_no_endpoint(program: Program) -> None:
    refused(program, "plan", program.jobspec, code=2, says="neither a region nor an endpoint is given")


def test_an_unknown_group(program: Program) -> None:
    refused(program, "plan", program.jobspec, "--region", "r-1", "--group", "al", code=2, says="did you mean `all`?")


def test_an_empty_group_is_a_warning_and_strictly_an_error(program: Program) -> None:
    program.jobspec.write_text(JOBSPEC.replace('select: "true"', 'select: "false"'))
    result = program("run", program.jobspec, "--simulate")
    assert result.returncode == 0
    assert "warning: job.yaml:7: group `all` selects no server" in result.stderr.replace(str(program.folder) + "/", "")
    refused(program, "plan", program.jobspec, "--region", "r-1", "--strict", code=2, says="selects no server")


def test_missing_credentials(program: Program) -> None:
    del program.env["HUAWEICLOUD_SDK_AK"], program.env["HUAWEICLOUD_SDK_SK"]
    refused(program, "run", program.jobspec, "--endpoint", "http://127.0.0.1:1", code=7, says="no credentials")


def test_half_of_a_credential(program: Program) -> None:
    del program.env["HUAWEICLOUD_SDK_SK"]
    refused(
        program, "run", program.jobspec, "--endpoint", "http://127.0.0.1:1", code=7, says="HUAWEICLOUD_SDK_SK is not"
    )


def test_a_wrong_secret_key_stops_after_a_few_tries_and_is_never_shown(
    program: Program, simulator: StartSimulator
) -> None:
    program.env["HUAWEICLOUD_SDK_SK"] = "WRONGSECRET"
    result = program("run", program.jobspec, "--endpoint", simulator())
    assert result.returncode == 7
    assert "verify aksk signature fail" in result.stdout
    report = json.loads(next((program.state / "reports").iterdir()).read_text())
    assert sum(job["attempts"] for job in report["jobs"]) <= 3
    assert report["counts"]["not_started"] == 8
    written = b"".join(path.read_bytes() for path in program.state.rglob("*") if path.is_file())
    assert b"WRONGSECRET" not in written + result.stdout.encode() + result.stderr.encode()


def test_a_temporary_key_that_the_plan_outlasts(program: Program, simulator: StartSimulator) -> None:
    program.env |= {"HUAWEICLOUD_SDK_SK": "WRONGSECRET", "HUAWEICLOUD_SDK_SECURITY_TOKEN": "HIDDENTOKEN"}
    with_rollout(program, "waves: [{name: w, groups: [canary], soak: 2h}, {name: rest}]")
    result = program("run", program.jobspec, "--endpoint", simulator())
    assert result.returncode == 7, result.stderr
    assert "HUAWEICLOUD_SDK_SK lives for an hour" in result.stderr
    assert "HIDDENTOKEN" not in result.stderr + result.stdout


def test_an_endpoint_that_refuses(program: Program) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    program.jobspec.write_text(JOBSPEC.replace("concurrency: 4", "concurrency: 4, outage: 1s"))
    result = program("run", program.jobspec, "--endpoint", url)
    assert result.returncode == 7
    assert "runner resume" in result.stdout
    assert "Traceback" not in result.stderr


def test_plain_http_to_another_machine(program: Program) -> None:
    refused(program, "run", program.jobspec, "--endpoint", "http://192.0.2.1", code=7, says="unencrypted")


def test_a_state_folder_that_cannot_be_written(program: Program) -> None:
    program.env["RUNNER_STATE_DIR"] = str(program.jobspec / "state")
    refused(program, "run", program.jobspec, "--simulate", code=6, says="cannot be used")


def test_a_changed_plan_is_refused(program: Program) -> None:
    plan = program.folder / "plan.json"
    assert program("plan", program.jobspec, "--region", "r-1", "-o", plan).returncode == 0
    plan.write_text(plan.read_text().replace('"version": "1.0"', '"version": "2.0"'))
    refused(program, "run", plan, "--simulate", code=6, says="the plan was changed after it was made")


def test_a_run_that_is_not_there(program: Program) -> None:
    refused(program, "show", "2020", code=2, says="no such run")


def test_an_option_that_is_not_there(program: Program) -> None:
    refused(program, "run", program.jobspec, "--simulat", code=2, says="--simulate")


def test_a_missing_secret(program: Program) -> None:
    program.jobspec.write_text(JOBSPEC.replace('version: "1.0"', 'version: "{{ secret.TOKEN }}"'))
    refused(program, "run", program.jobspec, "--simulate", code=2, says="the secret TOKEN is not in the environment")
