"""Templates as people write them: what is sent is what they mean, or the reason why nothing is."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cli.conftest import Program
from tests.cli.planned import Planner, jobspec

RESERVED = ("vars", "env", "secret", "group", "step", "batch", "lane", "run", "wave")


@pytest.fixture
def planner(program: Program) -> Planner:
    return Planner(program)


# Each field is a template of its own.


def test_what_a_field_sets_no_other_sees(planner: Planner) -> None:
    (body, _) = planner.requests(job_name="{% set version = version|replace('.','-') %}hdk-{{ version }}")
    assert (body["name"], body["items"][0]["spec"]) == ("hdk-24-1-rc3-10", {"version": "24.1.rc3.10"})
    said = planner.said(job_name="{% set v = 1 %}hdk", spec={"a": "{{ v }}"})
    assert "steps[0].items[0].spec.a: template: 'v' is undefined" in said
    assert "'v' is undefined" in planner.said(spec={"a": "{% set v = 1 %}x", "b": "{{ v }}"})
    assert "'m' is undefined" in planner.said(spec={"a": "{% macro m() %}{% endmacro %}x", "b": "{{ m() }}"})


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("hdk-{{ version -}}", "hdk-1"),
        ("{{- version }}-hdk", "1-hdk"),
        ("  {{- version -}}  ", "1"),
        ("{%- if true -%} a {%- endif -%}", "a"),
        ("{#- nothing -#} a", "a"),
        ("a {#- nothing -#}", "a"),
    ],
)
def test_white_space_is_controlled_at_every_edge(planner: Planner, template: str, text: str) -> None:
    (body, _) = planner.requests(job_name=template, vars={"version": "1"}, spec={"a": " b ", "c": template, "d": " e "})
    assert (body["name"], body["items"][0]["spec"]) == (text, {"a": " b ", "c": text, "d": " e "})
    assert planner.sent("{{ v }}", vars={"v": "{{- '1' -}}"}) == "1"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20),
        min_size=2,
        max_size=3,
    )
)
def test_no_value_breaks_out(planner: Planner, values: list[str]) -> None:
    given = [
        f"-ev{place}={value}" if value.strip() else f"-ev{place}:={json.dumps(value)}"
        for place, value in enumerate(values)
    ]
    spec = {f"a{place}": f"<{{{{ v{place} }}}}>" for place in range(len(values))}
    assert planner.spec(*given, spec=spec) == {f"a{place}": f"<{value}>" for place, value in enumerate(values)}


@pytest.mark.parametrize("value", ["a\x1eb", "{{ secret.T }}", "{% raw %}", "{#", "'", "a\nb", "${#a}", "\x1ea\x1e"])
def test_values_of_the_command_line_are_text_and_no_templates(planner: Planner, value: str) -> None:
    assert planner.spec("-e", f"version={value}", spec={"a": "{{ version }}", "b": "x{{ version }}", "c": "y"}) == {
        "a": value,
        "b": f"x{value}",
        "c": "y",
    }


def test_what_differs_between_requests_is_rendered_for_each(planner: Planner) -> None:
    bodies = planner.requests(
        job_name="{{ step.name }}-{{ batch.index }}of{{ batch.count }}",
        spec={"a": "{{ batch.index }}", "b": "{{ version }}", "c": "{{ group.name }}-{{ lane.project_id }}"},
    )
    assert [body["name"] for body in bodies] == ["up-1of2", "up-2of2"]
    assert [body["items"][0]["spec"] for body in bodies] == [
        {"a": number, "b": "24.1.rc3.10", "c": "all-p"} for number in ("1", "2")
    ]


# Reserved names.


@pytest.mark.parametrize("name", [*RESERVED, "self", "loop", "true", "none", "not", "if"])
def test_the_runners_names_are_for_no_variable(planner: Planner, name: str) -> None:
    says, hint = f"`{name}` is no name for a variable", f"rename it, to `my_{name}` for instance"
    (planner.folder / "v.yaml").write_text(f"version: 1\n{name}: prod\n")
    for place, said in (
        (f"job.yaml:5:26: vars.{name}: ", planner.said(vars={"version": "1.0", name: "prod"})),
        (f"groups[0].vars.{name}: ", planner.said(group=f", vars: {{{name}: prod}}")),
        (f"error: -e {name}: ", planner.said("-e", f"{name}=prod")),
        (f"v.yaml:2:1: {name}: ", planner.said("--vars-file", "v.yaml")),
    ):
        assert f"{place}{says}" in said
        assert hint in said


def test_names_like_the_runners_are_names(planner: Planner) -> None:
    assert (
        planner.sent("{{ environment }}{{ my_env }}{{ name }}", vars={"environment": "a", "my_env": "b", "name": "c"})
        == "abc"
    )


WHOLE = [
    "{{ NAME }}", "x{{ NAME }}", "{{ [NAME] }}", "{{ [NAME] | join }}", "{{ NAME | string }}", "{{ NAME | tojson }}", "{{ {'a': NAME} | tojson }}",
    "{{ NAME | upper }}", "{{ NAME | list | join }}", "{{ NAME.items() | join }}", "{{ 'a' ~ NAME }}", "{{ '%s' % NAME }}",
    "{{ '{}'.format(NAME) }}", "{{ '%s' | format(NAME) }}", "{{ dict(NAME) }}", "{{ NAME == 1 }}", "{% for k in NAME %}{{ k }}{% endfor %}",
    "{{ NAME | b64encode }}", "{{ NAME | urlencode }}", "{% if NAME %}a{% endif %}", "{{ NAME | length }}", "{{ NAME | map('upper') | join }}",
    "{{ NAME | default('x') }}", "{{ NAME | regex_search('.') }}", "{% set x = NAME %}{{ x }}", "{{ namespace(x=NAME).x }}",
]  # fmt: skip


@pytest.mark.parametrize("form", WHOLE)
def test_no_object_of_the_runners_becomes_text(planner: Planner, form: str) -> None:
    planner.program.env["PASSWORD"] = "made-up-password"
    for name in RESERVED:
        if name != "wave":
            said = planner.said(spec={"a": form.replace("NAME", name)})
            assert "made-up-password" not in said
            assert "is no value by itself" in said or "a list, where text" in said or "a mapping, where text" in said


def test_no_object_of_the_runners_gets_into_a_variable_or_a_check(planner: Planner) -> None:
    assert "`e` is no value by itself" in planner.said(vars={"e": "{{ env }}"}, spec={"a": "{{ e }}"}).replace(
        "env", "e"
    )
    check = "rollout: {checks: [{name: a, command: ['true', 'x{{ wave }}']}]}\n"
    assert "rollout.checks[0].command[1]: template: `wave` is no value by itself" in planner.said(more=check)


@pytest.mark.parametrize(
    "name", ["range", "dict", "namespace", "self", "version.upper", "().append", "lane.region", "none"]
)
def test_nor_does_anything_else_that_is_no_value(planner: Planner, name: str) -> None:
    said = planner.said(spec={"a": f"{{{{ {name} }}}}"})
    assert "where text is wanted" in said or "has no '" in said


# Mistakes of a template are mistakes of the file.

BROKEN = {
    "{{ version | uper }}": "no filter `uper`\n  did you mean `upper`?",
    "{% if version is strng %}{% endif %}": "no test `strng`\n  did you mean `string`?",
    "{% if false %}{{ version | uper }}{% endif %}": "no filter `uper`",
    "{#": "`{#` has no end",
    "a {# b": "Missing end of comment tag",
    "{% raw %}": "`{% raw %}` has no end",
    "{{ version": "unexpected end of template",
    "{% bogus %}": "unknown tag 'bogus'",
    "{% include 'x' %}": "other files cannot be named here",
    "{% import 'x' as x %}": "other files cannot be named here",
    "{{ version | attr('upper') }}": "no filter `attr`",
    "{{ .ID }}": "write {% raw %}...{% endraw %} around it",
    '{{ printf "%s" .ID }}': "write {% raw %}...{% endraw %} around it",
    "echo ${#a[@]}": "`${#` begins a comment here\n  to have it sent as it stands, write {% raw %}...{% endraw %} around it",
    "echo ${#a[@]} ${b#} c": "`${#` begins a comment here",
    "{{ " + "(" * 300 + "1" + ")" * 300 + " }}": "nested too deep",
    "{{ " + "[" * 500 + "]" * 500 + " }}": "nested too deep",
    "{{ " + " + ".join(["1"] * 3000) + " }}": "nested too deep",
    "{{ version" + " | upper" * 2000 + " }}": "nested too deep",
    "{{ version" + ".a" * 2000 + " }}": "nested too deep",
    "{{ " + "not " * 3000 + "version }}": "nested too deep",
    "{% if version %}" * 300 + "{% endif %}" * 300: "nested too deep",
    "{{ version }}" + "x" * 300_000: "at most 262,144 are allowed",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}": "it calls itself without an end",
    "{{ 'x' * 10000000000 }}": "repeated 10,000,000,000 times is too long",
    "{{ 10 ** 100000 }}": "is too large a number",
}  # fmt: skip


@pytest.mark.parametrize("template", BROKEN)
def test_a_template_that_is_none_is_said_with_its_place(planner: Planner, template: str) -> None:
    said = planner.said(spec={"a": "x", "b": template})
    assert said.startswith("error: job.yaml:9:")
    assert "steps[0].items[0].spec.b: " in said
    assert BROKEN[template] in said


PLACES = {
    "vars": ("vars.version", {"vars": {"version": "{{ x | uper }}"}}),
    "vars at depth": ("vars.a.b[0]", {"vars": {"a": {"b": ["{{ x | uper }}"]}}}),
    "group vars": ("groups[0].vars.a", {"group": ', vars: {a: "{{ x | uper }}"}'}),
    "job name": ("steps[0].job_name", {"job_name": "{{ x | uper }}"}),
    "region": ("groups[0].lane.region", {"group": ', lane: {region: "{{ x | uper }}"}'}),
    "description": ("description", {"more": 'description: "{{ x | uper }}"\n'}),
    "select": ("groups[0].select", {"select": "labels.x | uper"}),
    "split_by": ("groups[0].split_by", {"group": ", split_by: labels.x | uper"}),
    "limit": ("rollout.budget.per.labels.x | uper", {"more": "rollout: {budget: {per: {labels.x | uper: 1}}}\n"}),
    "strata": ("rollout.strata[0]", {"more": "rollout: {strata: [labels.x | uper]}\n"}),
    "check": (
        "rollout.checks[0].command[0]",
        {"more": 'rollout: {checks: [{name: a, command: ["{{ x | uper }}"]}]}\n'},
    ),
    "http check": ("rollout.checks[0].http", {"more": 'rollout: {checks: [{name: a, http: "{{ x | uper }}"}]}\n'}),
}


@pytest.mark.parametrize("place", PLACES)
def test_in_every_place_that_takes_a_template_or_an_expression(planner: Planner, place: str) -> None:
    path, parts = PLACES[place][0], cast("dict[str, Any]", PLACES[place][1])
    said = planner.said(**parts)
    assert said.startswith("error: job.yaml:")
    assert f": {path}: " in said
    assert "no filter `uper`\n  did you mean `upper`?" in said


@pytest.mark.parametrize("broken", ["{#", "labels.x ==", "(" * 500 + "id" + ")" * 500, "id" + ".a" * 400, "'", "id is"])
def test_an_expression_that_is_none_is_said_with_its_place(planner: Planner, broken: str) -> None:
    per = (
        f"rollout: {{budget: {{per: {{{broken!r}: 1}}}}}}\n"
        if "'" not in broken
        else f'rollout: {{budget: {{per: {{"{broken}": 1}}}}}}\n'
    )
    for path, said in (
        ("job.yaml:7:25: groups[0].select: ", planner.said(select=broken)),
        ("command line:1:1: --limit: ", planner.said("--limit", broken)),
        ("job.yaml:10:", planner.said(more=per)),
    ):
        assert path in said
        assert "expression: " in said


def test_servers_the_inventory_and_the_vars_file_as_well(planner: Planner) -> None:
    text = jobspec().replace('select: "true"', 'servers: ["{{ x | uper }}"]')
    assert "groups[0].servers[0]: template: no filter `uper`" in planner.refused(text)
    text = jobspec().replace("inventory: fleet.csv", 'inventory: "{{ x | uper }}"')
    assert "inventory: template: no filter `uper`" in planner.refused(text)
    (planner.folder / "v.yaml").write_text('a: 1\nb: ["{{ x | uper }}"]\n')
    assert "v.yaml:2:5: b[0]: template: no filter `uper`" in planner.said("--vars-file", "v.yaml")


@pytest.mark.parametrize(
    "key", ["{{ run.date | uper }}", "{#", "{{ " + "(" * 500 + " }}", "{% include 'x' %}", "{{ env }}"]
)
def test_the_key_of_a_slot_as_well(planner: Planner, key: str) -> None:
    planner.program.jobspec.write_text(jobspec())
    result = planner.program("run", "job.yaml", "--simulate", "--once-key", key)
    assert (result.returncode, "--once-key: template: " in result.stderr) == (2, True), result.stderr


def test_hundreds_of_clauses_are_an_expression(planner: Planner) -> None:
    assert planner.servers("--limit", " or ".join(f'id == "s{place}"' for place in range(2, 900))) == ["s2", "s3", "s4"]
    assert planner.servers("--limit", " and ".join(f'id != "s{place}"' for place in range(2, 900))) == ["s1"]
    assert planner.servers(select=" or ".join(f'labels.rack == "r{place}"' for place in range(2, 900))) == ["s3", "s4"]


# What a command has braces for.


@pytest.mark.parametrize(
    "command", ["docker ps --format '{{ .ID }}'", "echo ${#a[@]}", "awk '{# {% %}'", '{{ printf "%s" .x }}']
)
def test_what_is_meant_for_a_command_is_sent_as_it_stands_if_that_is_said(planner: Planner, command: str) -> None:
    assert "{% raw %}...{% endraw %}" in planner.said(spec={"command": command})
    assert planner.spec(spec={"command": "{% raw %}" + command + "{% endraw %}"})["command"] == command
    assert planner.spec(spec={"command": f"cd {{{{ version }}}}; {{% raw %}}{command}{{% endraw %}}"})["command"] == (
        f"cd 24.1.rc3.10; {command}"
    )


@pytest.mark.parametrize("text", ["a }} b", "%}", "#}", "{ {", "$# $@ ${a} ${a%b}", "{", 'echo \'{"a": {"b": 1}}\''])
def test_what_is_no_template_is_sent_as_it_stands(planner: Planner, text: str) -> None:
    assert planner.sent(text) == text
