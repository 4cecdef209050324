"""What selectors see: labels by their keys, the variables, the same filters as templates."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model import Server
from runner.spec.campaign import Place, Template
from runner.spec.expressions import ServerExpression
from runner.spec.methods import METHODS
from tests.cli.conftest import SIMULATED, Program
from tests.cli.planned import Planner, jobspec

NAMED_LIKE_METHODS = (
    "update",
    "items",
    "values",
    "keys",
    "copy",
    "get",
    "pop",
    "clear",
    "popitem",
    "setdefault",
    "format",
    "join",
    "split",
)


@pytest.fixture
def planner(program: Program) -> Planner:
    return Planner(program)


@pytest.mark.parametrize("label", NAMED_LIKE_METHODS)
def test_a_label_named_like_a_method_is_a_label(planner: Planner, label: str) -> None:
    planner.fleet(f"id,name,{label}\ns1,n1,yes\ns2,n2,no\ns3,n3,yes\n")
    for written in (f"labels.{label}", f"labels['{label}']", f"labels.get('{label}')"):
        assert planner.servers(select=f'{written} == "yes"') == ["s1", "s3"]
        assert planner.servers(select=f'{written} != "yes"') == ["s2"]
        assert planner.servers("--limit", f'{written} == "no"') == ["s2"]
        assert planner.servers(select=f'{written}.startswith("y")') == ["s1", "s3"]
    parts = planner.requests(group=f", split_by: labels.{label}", job_name="{{ group.name }}")
    assert [(part["name"], part["server_ids"]) for part in parts] == [("all-yes", ["s1", "s3"]), ("all-no", ["s2"])]
    rollout = f"rollout: {{budget: {{per: {{labels.{label}: 1}}}}, waves: [{{name: w, sizes: [1, rest]}}]}}\n"
    waves = planner.plan(jobspec(rollout))["requests"]
    assert [request["body"]["server_ids"] for request in waves] == [["s1"], ["s2"], ["s3"]] or len(waves) == 2


@pytest.mark.parametrize("name", NAMED_LIKE_METHODS)
def test_so_is_a_variable_and_one_of_the_environment(planner: Planner, name: str) -> None:
    planner.program.env[name] = "of the environment"
    spec = {
        "a": f"{{{{ vars.{name} }}}}",
        "b": f"{{{{ env.{name} }}}}",
        "c": f"{{{{ m.{name} }}}}",
        "d": f"{{{{ {name} }}}}",
    }
    sent = planner.spec(vars={name: "a value", "m": {name: "in a mapping"}}, spec=spec)
    assert sent == {"a": "a value", "b": "of the environment", "c": "in a mapping", "d": "a value"}


@pytest.mark.parametrize("attribute", ["upper", "__class__", "format", "real", "mro", "__init__", "__len__"])
def test_nothing_of_python_is_reachable_by_attribute(planner: Planner, attribute: str) -> None:
    for value in ("version", "5", "[1]", "{}", "().__class__"):
        assert "has no '" in planner.said(spec={"a": f"{{{{ ({value}).{attribute} }}}}"})
    assert f"for server s1: text has no '{attribute}'" in planner.said(select=f"name.{attribute}")
    assert f"no server has a label `rack.{attribute}`" in planner.said(select=f"labels.rack.{attribute} == 'x'")


RACKS = {
    "labels.rack == rack": ["s1", "s2"],
    "labels.rack == vars.rack": ["s1", "s2"],
    "labels.rack != rack": ["s3", "s4"],
    "labels.rack in racks": ["s1", "s2"],
    "labels[by] == 'r2'": ["s3", "s4"],
    "labels.rack == racks[0] and id != skipped.id": ["s2"],
    "labels.rack is regex_match(pattern)": ["s1", "s2"],
}
VARIABLES = {
    "rack": "r1",
    "racks": ["r1"],
    "by": "rack",
    "skipped": {"id": "s1"},
    "pattern": "^r[13]$",
    "version": "{{ rack }}",
}


@pytest.mark.parametrize("select", RACKS)
def test_variables_stand_in_select(planner: Planner, select: str) -> None:
    assert planner.servers(select=select, vars=VARIABLES) == RACKS[select]


def test_a_groups_own_variable_and_one_of_the_command_line_come_first(planner: Planner) -> None:
    assert planner.servers("-e", "rack=r2", select="labels.rack == rack", vars=VARIABLES) == ["s3", "s4"]
    of_group = ", vars: {rack: r2}"
    assert planner.servers("-e", "rack=r1", select="labels.rack == rack", vars=VARIABLES, group=of_group) == [
        "s3",
        "s4",
    ]
    assert planner.servers(select="labels.rack == rack", vars={"version": "1", "rack": "{{ r }}", "r": "r2"}) == [
        "s3",
        "s4",
    ]


def test_a_servers_own_names_come_first(planner: Planner) -> None:
    assert planner.servers(select="name == 'n1' or id == vars.id", vars={"version": "1", "name": "x", "id": "s4"}) == [
        "s1",
        "s4",
    ]


def test_variables_stand_in_split_by_strata_and_limits(planner: Planner) -> None:
    parts = planner.requests(group=", split_by: 'labels[by]'", vars=VARIABLES, job_name="{{ group.name }}")
    assert [(part["name"], part["server_ids"]) for part in parts] == [
        ("all-r1", ["s1", "s2"]),
        ("all-r2", ["s3", "s4"]),
    ]
    rollout = "rollout: {{budget: {{per: {{'{}': {}}}}}}}\n"
    for most in (1, "whole"):
        plans = [
            planner.plan(jobspec(rollout.format(text, most), vars=VARIABLES)) for text in ("labels[by]", "labels.rack")
        ]
        sent = [[request["body"]["server_ids"] for request in plan["requests"]] for plan in plans]
        assert sent[0] == sent[1]
    assert plans[0]["rollout"]["budget"]["variables"] == {"labels[by]": {"by": "rack"}}
    assert "variables" not in plans[1]["rollout"]["budget"]  # its bytes are those of a plan from before
    strata = [
        planner.requests(more=f"rollout: {{strata: ['{text}']}}\n", vars=VARIABLES)
        for text in ("labels[by]", "labels.rack")
    ]
    assert strata[0] == strata[1]


def test_a_plan_whose_limits_use_variables_is_carried_out_and_retried(planner: Planner) -> None:
    rollout = "rollout: {budget: {per: {'labels[by]': 1}}}\n"
    plan = planner.plan(jobspec(rollout, vars=VARIABLES))
    (planner.folder / "failing.yaml").write_text("tasks: {duration_s: 0.3, failing_servers: [s2]}\n")
    run = planner.program("run", "plan.json", "--behaviour", "failing.yaml", "--require-hash", plan["plan_hash"])
    assert run.returncode == 3, run.stderr
    report = json.loads(planner.program("report", "last", "--report", "-").stdout)
    assert "labels[by]=r1" in json.dumps(report)
    again = planner.program("retry", "last", *SIMULATED)
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize("place", ["select", "split_by", "per", "strata"])
def test_a_name_that_nobody_knows_is_said_with_its_place(planner: Planner, place: str) -> None:
    parts: dict[str, Any] = {
        "select": {"select": "labels.rack == rakc"},
        "split_by": {"group": ", split_by: 'labels[rakc]'"},
        "per": {"more": "rollout: {budget: {per: {'labels[rakc]': 1}}}\n"},
        "strata": {"more": "rollout: {strata: ['labels[rakc]']}\n"},
    }[place]
    said = planner.said(vars=VARIABLES, **parts)
    assert place in said
    assert "unknown name `rakc`" in said
    assert "did you mean `rack`?" in said
    assert "groups[0].select: for server s1: `vars` has no 'rakc'\n  did you mean `rack`?" in planner.said(
        select="labels.rack == vars.rakc", vars=VARIABLES
    )
    assert "unknown name `vars`" in planner.said("--limit", "labels.rack == vars.rack", vars=VARIABLES)
    assert planner.servers(select="labels.rack == vars.rakc | default('r1')") == ["s1", "s2"]
    assert "unknown name `env`" in planner.said(select="env.HOME == 'x'")


@pytest.mark.parametrize(
    "select", ["vars", "reg", "[1, 2] | regex_search('x')", "name | version_compare('1')", "name * 3 > 1", "name < 5"]
)
def test_what_cannot_be_asked_of_a_server_is_said(planner: Planner, select: str) -> None:
    said = planner.said(select=select, vars={"version": "1", "reg": "{{ env }}"})
    assert "groups[0].select: " in said


FILTERED = {
    "name | regex_search('[12]$')": ["s1", "s2"],
    "name is regex_match('N1', ignorecase=true)": ["s1"],
    "labels.ver | version_compare('24.1', '<')": ["s1", "s2"],
    "labels.ver is version_compare('24.1.rc3', '>=')": ["s3", "s4"],
    "labels.pod | default('none') == 'none'": ["s1", "s2", "s3", "s4"],
    "id.endswith('2') or name.upper() == 'N3'": ["s2", "s3"],
    '(labels | tojson) == \'{"ver": "24.1.0"}\'': ["s3"],
    "(name | b64encode) == 'bjI='": ["s2"],
    "(name ~ '-' ~ id) == 'n1-s1'": ["s1"],
}


@pytest.mark.parametrize("select", FILTERED)
def test_filters_are_the_same_in_selectors(planner: Planner, select: str) -> None:
    planner.fleet("id,name,ver\ns1,n1,24.0\ns2,n2,24.1.rc1\ns3,n3,24.1.0\ns4,n4,24.2\n")
    assert planner.servers(select=select) == FILTERED[select]
    assert planner.servers("--limit", select) == FILTERED[select]


@given(st.dictionaries(st.sampled_from([*sorted(METHODS), *dir({})]), st.text(), min_size=1), st.text())
def test_every_label_is_found_by_its_key(labels: dict[str, str], other: str) -> None:
    for name, value in labels.items():
        for written in (f"labels.{name}", f"labels[{json.dumps(name)}]"):
            asked = ServerExpression(Template(f"{written} == wanted", Place("f", 1, 1, "x")), {"wanted": value})
            assert asked.value(Server("i", "n", labels)) is True
            assert asked.value(Server("i", "n", {name: other})) is (other == value)


@pytest.mark.parametrize("place", ["select", "split_by", "per", "strata"])
def test_a_label_that_a_variable_names_must_be_there(planner: Planner, place: str) -> None:
    parts: dict[str, Any] = {
        "select": {"select": "labels[by] == 'r1'"},
        "split_by": {"group": ", split_by: 'labels[vars.by]'"},
        "per": {"more": "rollout: {budget: {per: {'labels[by]': 1}}}\n"},
        "strata": {"more": "rollout: {strata: ['labels[by]']}\n"},
    }[place]
    said = planner.said(vars={**VARIABLES, "by": "rakc"}, **parts)
    assert place in said
    assert "no server has a label `rakc`\n  did you mean `rack`?" in said
    assert planner.servers(select="labels[by] | default('r1') == 'r1'", vars={**VARIABLES, "by": "rakc"}) == [
        "s1",
        "s2",
        "s3",
        "s4",
    ]


NUMBERS = {
    "labels.ver == version": ["s2"],
    "version == labels.ver": ["s2"],
    "labels.ver != version": ["s1", "s3"],
    "labels.ver in versions": ["s1", "s2"],
    "labels.slot == slot": ["s1"],
    "labels.slot|int == slot": ["s1", "s2"],
    "labels.slot|int >= slot + 1": ["s3"],
}


@pytest.mark.parametrize("select", NUMBERS)
def test_numbers_of_variables_are_compared_with_labels_as_they_were_written(planner: Planner, select: str) -> None:
    planner.fleet("id,name,ver,slot\ns1,n1,24.1,012\ns2,n2,24.10,12\ns3,n3,24.2,13\n")
    text = jobspec(select=select).replace(
        '{"version": "24.1.rc3.10"}', "{version: 24.10, versions: [24.1, 24.10], slot: 012}"
    )
    assert text.count("24.10") == 2
    plan = planner.plan(text)
    assert [server for request in plan["requests"] for server in request["body"]["server_ids"]] == NUMBERS[select]


@pytest.mark.parametrize("written", ["24.10", "012", "7", "0.5"])
def test_a_limit_that_compares_with_a_number_means_the_same_in_the_plan(planner: Planner, written: str) -> None:
    planner.fleet(f"id,name,ver\ns1,n1,{written}\ns2,n2,8\ns3,n3,9\n")
    rollout = 'rollout: {budget: {per: {\'"old" if labels.ver == known else "new"\': 1}}}\n'
    text = jobspec(rollout).replace('{"version": "24.1.rc3.10"}', f"{{version: x, known: {written}}}")
    planner.plan(text.replace("servers_per_job: 2", "servers_per_job: 1"))
    run = planner.program("run", "plan.json", "--behaviour", "quick.yaml")
    assert run.returncode == 0, run.stderr
    report = planner.program("report", "last", "--report", "-").stdout
    assert all(f'known else \\"new\\"={kind}' in report for kind in ("old", "new")), report


@pytest.mark.parametrize("select", ["enabled", "'a' if enabled else enabled", "vars.enabled"])
def test_text_of_a_variable_is_no_condition(planner: Planner, select: str) -> None:
    said = planner.said("-e", "enabled=false", "--allow-new-vars", select=select)
    assert "expected true or false" in said
    assert planner.servers("-e", "enabled:=true", select="enabled", vars={"version": "1", "enabled": False}) == [
        "s1",
        "s2",
        "s3",
        "s4",
    ]


def test_labels_as_a_whole_have_no_functions(planner: Planner) -> None:
    for call in ("items()", "values()", "keys()", "get(name)"):
        assert "labels are looked up by name" in planner.said(select=f"'r1' in labels.{call}")
