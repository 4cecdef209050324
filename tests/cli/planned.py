"""What a jobspec of templates would send, from its plan file; or what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cli.conftest import Program

JOBSPEC = """\
api_version: runner/v1
name: test
inventory: fleet.csv
lane: {endpoint: "http://127.0.0.1:1", project_id: p}
vars: VARS
groups:
  - {name: all, select: SELECT GROUP}
steps:
  - {name: up, type: T, job_name: JOB_NAME, servers_per_job: 2, items: [{type: I, spec: SPEC}]}
"""
FLEET = "id,name,rack\ns1,n1,r1\ns2,n2,r1\ns3,n3,r2\ns4,n4,r2\n"
PARTS = {
    "vars": {"version": "24.1.rc3.10"},
    "select": "true",
    "group": "",
    "job_name": "hdk",
    "spec": {"version": "{{ version }}"},
}


def jobspec(more: str = "", **parts: Any) -> str:
    """The jobspec with other parts: values are written as JSON, `group` and `more` as they are."""
    text = JOBSPEC + more
    for name, value in {**PARTS, **parts}.items():
        text = text.replace(name.upper(), value if name == "group" else json.dumps(value))
    return text


class Planner:
    """Plans jobspecs in a folder of its own."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.folder: Path = program.folder
        self.fleet(FLEET)

    def fleet(self, text: str) -> None:
        (self.folder / "fleet.csv").write_text(text)

    def requests(self, *arguments: str, more: str = "", **parts: Any) -> list[dict[str, Any]]:
        """The bodies of all requests."""
        return [request["body"] for request in self.plan(jobspec(more, **parts), *arguments)["requests"]]

    def plan(self, text: str, *arguments: str) -> dict[str, Any]:
        """The plan that a jobspec makes."""
        self.program.jobspec.write_text(text)
        result = self.program("plan", "job.yaml", "-o", "plan.json", *arguments)
        assert result.returncode == 0, result.stderr
        plan: dict[str, Any] = json.loads((self.folder / "plan.json").read_text())
        return plan

    def spec(self, *arguments: str, **parts: Any) -> dict[str, str]:
        """The spec of the first request."""
        spec: dict[str, str] = self.requests(*arguments, **parts)[0]["items"][0]["spec"]
        return spec

    def sent(self, template: Any, *arguments: str, **parts: Any) -> str:
        """What a template in the spec is sent as."""
        return self.spec(*arguments, **{"spec": {"v": template}, **parts})["v"]

    def servers(self, *arguments: str, **parts: Any) -> list[str]:
        """The servers that are selected."""
        return [server for body in self.requests(*arguments, **parts) for server in body["server_ids"]]

    def said(self, *arguments: str, more: str = "", **parts: Any) -> str:
        """What both `plan` and `validate` refuse a jobspec with."""
        return self.refused(jobspec(more, **parts), *arguments)

    def refused(self, text: str, *arguments: str) -> str:
        self.program.jobspec.write_text(text)
        validated, planned = (self.program(command, "job.yaml", *arguments) for command in ("validate", "plan"))
        assert (validated.returncode, validated.stderr) == (planned.returncode, planned.stderr)
        assert planned.returncode == 2, planned.stdout + planned.stderr
        assert "Traceback" not in planned.stderr
        return planned.stderr
