"""docs/expressions.md says what happens: each row of its tables is tried."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from runner.spec.filters import FILTERS, TESTS
from runner.spec.methods import METHODS
from runner.spec.names import RUNNERS_OWN
from runner.spec.versions import compare_versions
from runner.spec.yaml_source import read_yaml
from tests.cli.conftest import SIMULATED, Program
from tests.cli.planned import Planner, jobspec

TEXT = (Path(__file__).parents[2] / "docs" / "expressions.md").read_text()


def table(title: str) -> list[list[str]]:
    """The rows of the table under a title, as people read them."""
    section = TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]*)`", cell)


@pytest.fixture
def planner(program: Program) -> Planner:
    program.env["T"] = "made-up-secret"
    return Planner(program)


@pytest.mark.parametrize(("written", "text"), table("How values become text"))
def test_how_a_value_becomes_text(planner: Planner, written: str, text: str) -> None:
    (source,) = code(written)
    spec = 'spec: {"a": "{{ v }}", "b": "<{{ v }}>", "c": "{{ [v] | join }}", "d": "{{ v | string }}"}'
    made = jobspec(vars={"v": "VALUE"}).replace('"VALUE"', source).replace('spec: {"version": "{{ version }}"}', spec)
    if text.startswith("refused: "):
        assert text.removeprefix("refused: ") in planner.refused(made)
        return
    expected = {"an empty text": "", "the secret, whole": source.strip('"').replace("{{ secret.T }}", "***secret.T***")}
    value = expected[text] if text in expected else code(text)[0]
    sent = planner.plan(made)["requests"][0]["body"]["items"][0]["spec"]
    assert sent == {"a": value, "b": f"<{value}>", "c": value, "d": value}
    if "secret" not in text:  # as it is without a template
        literal = jobspec(spec={"v": "VALUE"}).replace('"VALUE"', source)
        assert planner.plan(literal)["requests"][0]["body"]["items"][0]["spec"] == {"v": value}


SEEN = {
    "vars": "vars.version", "env": "env.HOME", "secret": "secret.T", "run": "run.date", "group": "group.name", "step": "step.name",
    "batch": "batch.index", "lane": "lane.endpoint", "wave": "wave.name", "id": "id", "name": "name", "labels": "labels.rack", "signal": "signal.text",
}  # fmt: skip
CHECK = "rollout: {{checks: [{{name: a, {}}}]}}\n"
HOOK = "on_event: [{{on: [end], {}}}]\n"
EXPRESSION = "({} | string | length) > 0"
WHERE: dict[str, Any] = {
    "items[].spec": lambda t: jobspec(spec={"a": "x" + t}),
    "job_name": lambda t: jobspec(job_name="x{{ (" + t[2:-2] + ") | string | length }}"),
    "job_description": lambda t: jobspec().replace(
        "job_name:", f"job_description: {json.dumps(_length(t))}, job_name:"
    ),
    "type": lambda t: jobspec().replace("type: T", f"type: {json.dumps(_length(t))}"),
    "servers": lambda t: jobspec().replace(
        'select: "true"', f"servers: [s1, {json.dumps('s[1-2]' + '{# ' + '#}' + _nothing(t))}]"
    ),
    "lane": lambda t: jobspec(group=f", lane: {{endpoint: {json.dumps('http://127.0.0.1:1/' + t)}}}"),
    "vars": lambda t: jobspec(vars={"version": "1", "v": "x" + t}),
    "groups[].vars": lambda t: jobspec(group=f", vars: {{v: {json.dumps('x' + t)}}}"),
    "description": lambda t: jobspec(f"description: {json.dumps('x' + t)}\n"),
    "inventory": lambda t: jobspec().replace(
        "inventory: fleet.csv", f"inventory: {json.dumps('fleet.csv' + _nothing(t))}"
    ),
    "checks[].command": lambda t: jobspec(CHECK.format(f"command: ['true', {json.dumps('x' + t)}]")),
    "checks[].http": lambda t: jobspec(CHECK.format(f"http: {json.dumps('http://127.0.0.1/' + t)}")),
    "on_event[].command": lambda t: jobspec(HOOK.format(f"command: ['true', {json.dumps('x' + t)}]")),
    "on_event[].post": lambda t: jobspec(HOOK.format(f"post: {json.dumps('http://127.0.0.1/' + t)}")),
    "on_event[].headers": lambda t: jobspec(HOOK.format(f"post: 'http://h/', headers: {{A: {json.dumps('x' + t)}}}")),
    "on_event[].body": lambda t: jobspec(HOOK.format(f"post: 'http://h/', body: {{a: {json.dumps('x' + t)}}}")),
    "select": lambda t: jobspec(select=EXPRESSION.format(t[2:-2])),
    "split_by": lambda t: jobspec(group=f", split_by: {json.dumps(EXPRESSION.format(t[2:-2]))}"),
    "per": lambda t: jobspec(f"rollout: {{budget: {{per: {{{json.dumps(EXPRESSION.format(t[2:-2]))}: 1}}}}}}\n"),
    "strata": lambda t: jobspec(f"rollout: {{strata: [{json.dumps(EXPRESSION.format(t[2:-2]))}]}}\n"),
}


def _length(template: str) -> str:
    return "x{{ (" + template[2:-2] + ") | string | length }}"


def _nothing(template: str) -> str:
    return "{{ ((" + template[2:-2] + ") | string)[:0] }}"


@pytest.mark.parametrize(
    ("place", "sees"), [(place, code(sees)) for places, sees in table("What each sees") for place in code(places)]
)
def test_what_each_place_sees(planner: Planner, place: str, sees: list[str]) -> None:
    for name, part in SEEN.items():
        template = "{{ " + part + " }}" if place != "items[].spec" or name != "secret" else "{{ secret.T }}"
        program = planner.program
        program.jobspec.write_text(WHERE[place](template) if place in WHERE else jobspec())
        if place == "--limit":
            result = program("plan", "job.yaml", "--limit", EXPRESSION.format(part))
        elif place == "--once-key":
            result = program("run", "job.yaml", *SIMULATED, "--once-key", "x{{ " + part + " }}")
        elif place == "exclude":
            continue  # the same as --limit, of a run that goes on
        else:
            result = program("plan", "job.yaml")
        assert (result.returncode == 0) == (name in sees), (name, result.stderr)
        assert result.returncode in {0, 2}


def test_a_vars_file_sees_what_the_variables_of_a_jobspec_see(planner: Planner) -> None:
    for name, part in SEEN.items():
        (planner.folder / "v.yaml").write_text(json.dumps({"v": "x{{ " + part + " }}"}))
        planner.program.jobspec.write_text(jobspec())
        result = planner.program("plan", "job.yaml", "--vars-file", "v.yaml")
        assert (result.returncode == 0) == (name in {"vars", "env", "secret", "run"}), (name, result.stderr)


@pytest.mark.parametrize(("name", "example", "gives"), table("Filters"))
def test_filters_give_what_is_said(planner: Planner, name: str, example: str, gives: str) -> None:
    (expression,), (text,) = code(example), code(gives)
    expression = expression.replace("\\\\\\\\", "\\\\")
    assert f"| {code(name)[0]}" in expression
    assert planner.sent("{{ " + expression + " }}") == text
    assert planner.servers("--limit", f"({expression} | string) == {json.dumps(text, ensure_ascii=False)}") == [
        "s1",
        "s2",
        "s3",
        "s4",
    ]


def test_every_filter_test_and_method_is_there() -> None:
    assert [code(name)[0] for name, *_ in table("Filters")] == sorted(FILTERS)
    tests = TEXT.partition("\n## Tests\n")[2].partition("\n## ")[0]
    assert {*code(tests)} - {"is", "is not"} == TESTS.keys()
    calls = TEXT.partition("Calls are read by name.")[2].partition("\n\n")[0]
    assert {*code(calls)} == METHODS


def test_every_reserved_name_is_there() -> None:
    assert {name for _, sees in table("What each sees") for name in code(sees)} - {
        "id",
        "name",
        "labels",
        "signal",  # reserved nowhere: jobspecs may have a variable of that name
    } == RUNNERS_OWN.keys()


@pytest.mark.parametrize(("older", "newer"), table("Which version is newer"))
def test_versions_are_in_the_order_that_is_said(older: str, newer: str) -> None:
    assert compare_versions(code(older)[0], code(newer)[0]) < 0 < compare_versions(code(newer)[0], code(older)[0])


def test_what_is_written_for_a_command_is_sent(planner: Planner) -> None:
    (yaml,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert planner.spec(spec=read_yaml(yaml, "f").data["spec"]) == {"command": "docker ps --format '{{ .ID }}'"}
