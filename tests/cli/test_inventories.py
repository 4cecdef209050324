"""Inventories as documented, and from standard input and pipes."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import JOBSPEC, Program
from tests.cli.test_mistakes import refused

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "inventories.md").read_text()
EXAMPLES = re.findall(r"```(csv|tsv|json|ndjson|yaml)\n(.*?)```", DOCUMENT, re.DOTALL)
SELECTIONS = re.findall(r"^\| `(.*)` \| ((?:s[1-3](?:, )?)+|none) \|$", DOCUMENT, re.MULTILINE)
REGION = ("--region", "cn-north-9")
TABLE = "id,name\ns1,n1\ns2,n2\n"


def planned(program: Program, *arguments: str | Path) -> list[str]:
    result = program("plan", program.jobspec, *REGION, "-o", "plan.json", *arguments)
    assert result.returncode == 0, result.stderr
    return ids(program)


def ids(program: Program) -> list[str]:
    document: dict[str, Any] = json.loads((program.folder / "plan.json").read_text())
    return [server for group in document["groups"] for server in group["servers"]]


def test_the_document_has_an_example_of_every_form() -> None:
    assert {form for form, _ in EXAMPLES} == {"csv", "tsv", "json", "ndjson", "yaml"}
    assert len(EXAMPLES) == 8
    assert len(SELECTIONS) == 10


@pytest.mark.parametrize("ending", [True, False])
@pytest.mark.parametrize(("form", "text"), EXAMPLES)
def test_every_example_holds_the_servers_that_it_shows(program: Program, form: str, text: str, ending: bool) -> None:
    name = f"servers.{form}" if ending else "servers"
    (program.folder / name).write_text(text)
    for limit, expected in SELECTIONS:
        found = planned(program, "-i", name, "--limit", limit.replace("\\|", "|"))
        assert sorted(found) == ([] if expected == "none" else expected.split(", "))


def test_nested_values_of_the_documents_example_are_found(program: Program) -> None:
    (answer,) = [text for _, text in EXAMPLES if '"data"' in text]
    (program.folder / "servers.json").write_text(answer)
    for limit, expected in (
        ('labels.cloud_server.type == "BMS"', ["s1"]),
        ('labels["endpoints.0.uri"] == "10.0.0.3"', ["s3"]),
        ('labels.tags.row == "4"', ["s1"]),
    ):
        assert planned(program, "-i", "servers.json", "--limit", limit) == expected


def test_groups_of_the_documents_example_are_labels(program: Program) -> None:
    (hosts,) = [text for _, text in EXAMPLES if "hosts:" in text]
    (program.folder / "servers.yaml").write_text(hosts)
    assert planned(program, "-i", "servers.yaml", "--limit", 'labels.group_inference == "true"') == ["s3"]
    said = refused(program, "plan", program.jobspec, *REGION, "-i", "servers.yaml", "--limit", 'labels.ansible_host == "x"', code=2, says="no server has a label `ansible_host`")  # fmt: skip
    assert "10.0.0.1" not in said


def fed(program: Program, text: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A command that has `text` on its standard input."""
    command = program.command(*arguments)
    return subprocess.run(
        command, input=text, capture_output=True, text=True, cwd=program.folder, env=program.env, check=False
    )


@pytest.mark.process
@pytest.mark.parametrize(
    ("arguments", "text", "expected"),
    [
        (("job.yaml", "-i", "-"), TABLE, ["s1", "s2"]),
        (("job.yaml", "-i", "-"), TABLE.replace(",", ";"), ["s1", "s2"]),
        (("job.yaml", "-i", "-"), '[{"id": "s1"}]', ["s1"]),
        (("job.yaml", "-i", "-"), '{"id": "s1"}\n{"id": "s2"}\n', ["s1", "s2"]),
        (("job.yaml", "-i", "-"), "- {id: s1}\n", ["s1"]),
        (("-",), JOBSPEC, [f"id-{place}" for place in range(8)]),
        (("job.yaml", "--limit", "@-"), "id-3\nserver-5\n", ["id-3", "id-5"]),
    ],
)
def test_standard_input(program: Program, arguments: tuple[str, ...], text: str, expected: list[str]) -> None:
    result = fed(program, text, "plan", *arguments, *REGION, "-o", "plan.json")
    assert result.returncode == 0, result.stderr
    assert ids(program) == expected


@pytest.mark.process
def test_what_is_wrong_on_standard_input_is_said_with_its_line(program: Program) -> None:
    for arguments, text, says in (
        (("job.yaml", "-i", "-"), "id,name\na,b,c\n", "standard input:2: 3 values"),
        (("-",), JOBSPEC.replace("groups:", "grups:"), "standard input:6:1: unknown key `grups`"),
        (("-", "-i", "-"), "", "JOBSPEC and -i cannot both be read from standard input"),
        (("job.yaml", "-i", "-"), "", "standard input:1: it is empty"),
    ):
        result = fed(program, text, "plan", *arguments, *REGION)
        assert (result.returncode, says in result.stderr) == (2, True), result.stderr


@pytest.mark.process
def test_a_run_takes_its_jobspec_from_standard_input_once(program: Program) -> None:
    result = fed(program, JOBSPEC, "run", "-", "--simulate", "--once-key", "night")
    assert result.returncode == 0, result.stderr
    assert "8 succeeded" in result.stdout


@pytest.mark.parametrize("text", [TABLE, '[{"id": "s1"}, {"id": "s2"}]', "- id: s1\n- id: s2\n"])
def test_a_pipe_is_an_inventory(program: Program, text: str) -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, text.encode())
        os.close(writing)
        assert planned(program, "-i", f"/dev/fd/{reading}") == ["s1", "s2"]
    finally:
        os.close(reading)


@pytest.mark.process
def test_a_plan_is_known_on_standard_input_too(program: Program) -> None:
    assert program("plan", program.jobspec, *REGION, "-o", "p.json").returncode == 0
    text = (program.folder / "p.json").read_text()
    for written in (text, json.dumps(json.loads(text), sort_keys=True)):
        result = fed(program, written, "validate", "-")
        assert (result.returncode, "-: valid, 8 servers" in result.stdout) == (0, True), result.stderr
    result = fed(program, text, "plan", "-", *REGION)
    assert (result.returncode, "standard input: a plan is carried out exactly as it is" in result.stderr) == (2, True)


@pytest.mark.process
def test_a_jobspec_in_a_pipe_is_read_once(program: Program) -> None:
    reading, writing = os.pipe()
    os.write(writing, JOBSPEC.replace("inventory: fleet.csv", f"inventory: {program.folder}/fleet.csv").encode())
    os.close(writing)
    command = program.command("run", f"/dev/fd/{reading}", "--simulate", "--once-key", "night")
    result = subprocess.run(
        command, capture_output=True, text=True, cwd=program.folder, env=program.env, pass_fds=[reading], check=False
    )
    os.close(reading)
    assert (result.returncode, "8 succeeded" in result.stdout) == (0, True), result.stderr
