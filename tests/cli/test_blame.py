"""One server that the service does not know, over real HTTP: the others of its batch are done, and it is named."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import BEHAVIOUR, Program
from tests.cli.serving import StartSimulator


@pytest.mark.parametrize("says_which", ["true", "false"])
def test_a_server_that_was_given_back_does_not_hold_up_its_batch(
    program: Program, simulator: StartSimulator, says_which: str
) -> None:
    url = simulator(BEHAVIOUR + f"servers: {{not_known: [id-3], says_which: {says_which}}}\n")
    result = program("run", program.jobspec, "--endpoint", url)
    assert result.returncode == 3, result.stderr
    news = [json.loads(line) for line in result.stderr.splitlines()]
    left_out = [item["server"] for item in news if item["event"] == "left out of a request"]
    assert left_out == (["id-3"] if says_which == "true" else [])
    (path,) = (program.state / "reports").iterdir()
    report = json.loads(path.read_text())
    assert (report["counts"]["succeeded"], report["counts"]["not_started"]) == (7, 1)
    (refused,) = [job for job in report["jobs"] if job["state"] == "refused"]
    assert [task["server_id"] for task in refused["tasks"]] == ["id-3"]
    assert refused["error"]["code"] == "ModelArts.6404"
    assert program("verify", "last").returncode == 0
    assert program("retry", "last", "--only", "not_started", "-o", "again.json").returncode == 0
    again = json.loads((program.folder / "again.json").read_text())
    assert again["summary"]["selected"] == 1
