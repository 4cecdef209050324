"""What the documents say is so."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runner.app import formats
from runner.cli.main import COMMANDS
from runner.errors import ExitCode, InvalidInput
from runner.inventory.files import InventoryFile
from runner.plan.schema import plan_schema
from runner.report.models import ReportFile
from runner.simulator.behaviour import Behaviour, Deviations
from runner.spec.document import JobspecDocument
from runner.spec.loading import load_campaign
from runner.spec.texts import text_of
from tests import jobspec_document, report_document

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", formats.NAMES)
def test_schemas_are_those_of_the_models(name: str) -> None:
    assert json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text()) == json.loads(
        json.dumps(formats.schema(name))
    )


def test_the_tables_of_jobspecs_are_those_of_the_models() -> None:
    assert jobspec_document.DOCUMENT.read_text().partition(jobspec_document.MARK)[2] == "\n" + jobspec_document.tables()


def test_the_tables_of_reports_are_those_of_the_models() -> None:
    assert report_document.DOCUMENT.read_text().partition(jobspec_document.MARK)[2] == "\n" + report_document.tables()


def test_every_key_of_a_jobspec_has_a_row() -> None:
    text = jobspec_document.tables()
    parts = [JobspecDocument.model_json_schema(), *JobspecDocument.model_json_schema()["$defs"].values()]
    assert text.count("\n## ") + 1 == len(parts)
    assert sum(len(part["properties"]) for part in parts) == len(re.findall(r"(?m)^\| `\w+` \|", text)) > 60
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 6 for row in re.findall(r"(?m)^\| `.*", text))


def values_of_the_table() -> list[tuple[str, str, str]]:
    """What is written, the value of `spec` that it is, and the label, from the table of docs/jobspec.md."""
    _, _, table = (ROOT / "docs" / "jobspec.md").read_text().partition("| written | value of `spec` | label |\n")
    rows = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in table.splitlines()[1:]]
    return [(row[0], row[1], row[2]) for row in itertools.takewhile(lambda row: len(row) == 3, rows)]


@pytest.mark.parametrize(("written", "value", "label"), values_of_the_table())
def test_a_value_becomes_the_text_of_the_table(written: str, value: str, label: str, tmp_path: Path) -> None:
    (jobspec, _) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    jobspec = jobspec.replace('spec: {version: "{{ version }}"}', f"spec: {{version: {written}}}")
    path = tmp_path / "f.yaml"
    path.write_text(f"- {{id: a, x: {written}}}\n")
    if value == "refused":
        with pytest.raises(InvalidInput):
            load_campaign(jobspec, "f.yaml")
    else:
        assert text_of(load_campaign(jobspec, "f.yaml").steps[0].items[0].spec["version"].source) == value.replace(
            "(empty)", ""
        )
    if label == "refused":
        with pytest.raises(InvalidInput):
            InventoryFile(path).read()
    else:
        (server,) = InventoryFile(path).read().servers
        assert server.labels == labels_of_the_table(label)


def labels_of_the_table(label: str) -> dict[str, str]:
    if label == "no label":
        return {}
    name, colon, text = label.partition(": ")
    return {name: text} if colon else {"x": label}


def test_the_table_of_values_is_read() -> None:
    assert len(values_of_the_table()) > 20


def test_every_switch_of_the_simulator_is_documented() -> None:
    text = (ROOT / "docs" / "simulator.md").read_text()
    for name, field in Behaviour.model_fields.items():
        model: Any = field.annotation
        for key in getattr(model, "model_fields", {}):
            assert f"`{name}.{key}`" in text


def test_the_guarantees_name_tests_that_are_there_and_every_deviation() -> None:
    text = (ROOT / "docs" / "guarantees.md").read_text()
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", text))
    assert named
    assert {name for name in named if not (ROOT / name).is_file()} == set()
    cases = (ROOT / "tests" / "cli" / "test_ugly_answers.py").read_text()
    for shown in re.findall(r"`ugly` \((.*?)\)", text):
        assert all(f"{case}:" in cases for case in re.findall(r'"[^"]+"', shown)), shown
    for switch in Deviations.model_fields:
        assert f"`deviations.{switch}`" in text


def test_the_readme_has_every_command_and_every_exit_code() -> None:
    for command in COMMANDS:
        assert f"`runner {command}" in README
    for code in ExitCode:
        assert re.search(rf"^\| {code.value} \|", README, re.MULTILINE)


def test_the_jobspec_of_the_readme_is_one() -> None:
    text, rollout = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert load_campaign(text, "README.md").name == "hdk-upgrade"
    assert load_campaign(text + rollout, "README.md").rollout is not None


def test_the_rollouts_of_the_documents_are_some() -> None:
    (jobspec, _) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    parts = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "rollouts.md").read_text(), re.DOTALL)
    assert len(parts) >= 4
    (steps,) = re.findall(r"(?m)^steps:.*\n", jobspec)
    logs = "  - {name: collect-logs, type: LOG_COLLECT, job_name: logs, items: [{type: DEVICE_LOG_COLLECT}]}\n"
    check = "  - {name: smoke-test, type: COMMON, job_name: smoke, items: [{type: COMMON}]}\n"
    for part in parts:
        text = jobspec + (part if part.startswith("rollout:") else "rollout:\n" + re.sub(r"(?m)^", "  ", part))
        text = text.replace(
            steps, steps + (logs if "collect-logs" in part else "") + (check if "smoke" in part else "")
        )
        assert load_campaign(text, "rollouts.md").rollout is not None


def test_commands_in_the_readme_and_of_the_screen_are_understood() -> None:
    import click  # noqa: PLC0415  only here

    from runner.app.process import this_host  # noqa: PLC0415  likewise
    from runner.cli.main import cli  # noqa: PLC0415  likewise

    text = README + (ROOT / "docs" / "screen.md").read_text()
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    ours = [line.partition(" || ")[0] for line in lines if line.startswith("runner ")]
    commands = [shlex.split(line, comments=True)[1:] for line in ours]
    assert len(commands) >= 7
    for arguments in commands:
        with click.Context(cli, obj=this_host) as context:
            command = cli.get_command(context, arguments[0])
            assert command is not None
            command.make_context(arguments[0], arguments[1:], parent=context)


def test_the_plan_schema_has_the_fields_that_plans_have() -> None:
    assert "requests" in plan_schema()["properties"]
    assert set(ReportFile.model_fields) >= {
        "run",
        "counts",
        "abnormal_count",
        "requests",
        "throttling",
        "groups",
        "jobs",
    }


@pytest.mark.process
def test_editors_accept_every_ready_jobspec() -> None:
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--schemafile",
        str(ROOT / "schemas" / "jobspec.schema.json"),
        *map(str, sorted((ROOT / "jobspecs").glob("*.yaml"))),
    ]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
