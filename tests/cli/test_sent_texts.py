"""Variables, secrets and filters as people write them: what is sent, or the reason why nothing is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import SIMULATED, Program
from tests.cli.planned import Planner, jobspec


@pytest.fixture
def planner(program: Program) -> Planner:
    program.env |= {"T": "made-up/secret é", "U": "another-made-up", "EMPTY": "", "BLANK": " \n"}
    return Planner(program)


# No Python text.

REACHES_THE_WIRE = ["{{ v }}", "{{ vars.v }}", "{{ v | string }}", "{{ v ~ '' }}", "{{ [v] | join }}", "{{ '%s' % v }}", "{{ '%s' | format(v) }}", "{{ '{}'.format(v) }}", "{{ ''.join([v]) }}", "{{ {'a': v}.a }}", "{{ v | trim }}", "{{ v | urlencode }}", "{{ v | lower }}", "{{ 'x' | replace('x', v) }}", "{% set x %}{{ v }}{% endset %}{{ x }}", "{% filter trim %}{{ v }}{% endfilter %}", "{% for x in [v] %}{{ x }}{% endfor %}"]  # fmt: skip


@pytest.mark.parametrize("form", REACHES_THE_WIRE)
def test_booleans_are_true_and_false_and_what_is_no_text_is_refused(planner: Planner, form: str) -> None:
    assert planner.sent(form, vars={"v": True}) == "true"
    assert planner.sent(form, vars={"v": False}) == "false"
    assert planner.sent(form, vars={"v": 5}) == "5"
    assert "null, where text is wanted" in planner.said(spec={"a": form}, vars={"v": None})
    if "urlencode" not in form:
        assert "a mapping, where text is wanted" in planner.said(spec={"a": form}, vars={"v": {"a": 1}})
    assert "a list, where text is wanted" in planner.said(spec={"a": form}, vars={"v": ["a", "b"]})


def test_a_filter_may_make_text_of_what_is_none(planner: Planner) -> None:
    variables = {"l": ["a", True, 3], "m": {"b": None, "a": ['"é', False]}, "n": None}
    for template, text in {
        "{{ l | join(',') }}": "a,true,3",
        "{{ l | tojson }}": '["a", true, 3]',
        "{{ m | tojson }}": '{"b": null, "a": ["\\"é", false]}',
        "{{ n | tojson }}": "null",
        "{{ n | default('none', true) }}": "none",
        "{{ m | urlencode }}": None,
        "{{ {'a b': true, 'c': 'd&'} | urlencode }}": "a%20b=true&c=d%26",
        "{{ l | length }}": "3",
    }.items():
        if text is None:
            assert "null, where text is wanted" in planner.said(spec={"a": template}, vars=variables)
        else:
            assert planner.sent(template, vars=variables) == text
    assert json.loads(planner.sent("{{ m | tojson }}", vars=variables)) == variables["m"]


def test_the_message_names_the_value(planner: Planner) -> None:
    said = planner.said(spec={"a": "{{ reg.urls }}"}, vars={"reg": {"urls": ["a"]}})
    assert (
        "steps[0].items[0].spec.a: template: `reg.urls` is a list, where text is wanted\n  use `join(',')`, or `tojson`"
        in said
    )


def test_parts_of_a_group_that_is_split_by_a_boolean_are_called_as_people_write_it(planner: Planner) -> None:
    bodies = planner.requests(group=", split_by: 'labels.rack == \"r1\"'", job_name="{{ group.name }}")
    assert [(body["name"], body["server_ids"]) for body in bodies] == [
        ("all-true", ["s1", "s2"]),
        ("all-false", ["s3", "s4"]),
    ]
    assert "groups[0].split_by: for server s1: a list, where text is wanted" in planner.said(
        group=", split_by: '[labels.rack]'"
    )
    assert "groups[0].split_by: for server s1: " in planner.said(group=", split_by: labels.rack + 1")


# Secrets: whole or not at all.

TOKEN = "***secret.T***"
WHOLE = {
    "{{ secret.T }}": TOKEN,
    "{{ secret['T'] }}": TOKEN,
    "a{{ secret.T }}b{{ secret.U }}{{ secret.T }}": f"a{TOKEN}b***secret.U***{TOKEN}",
    "{{ 'Bearer ' ~ secret.T }}": f"Bearer {TOKEN}",
    "{{ [secret.T, 'x'] | join('-') }}": f"{TOKEN}-x",
    "{{ [secret.T] | first }}": TOKEN,
    "{{ {'a': secret.T}.a }}": TOKEN,
    "{{ secret.T | string }}": TOKEN,
    "{{ secret.T | default('x') }}": TOKEN,
    "{{ secret.T if true else '' }}": TOKEN,
    "{% set x = secret.T %}{{ x }}": TOKEN,
    "{% set x %}<{{ secret.T }}>{% endset %}{{ x }}": f"<{TOKEN}>",
    "{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(secret.T) }}": f"<{TOKEN}>",
    "{% for x in [secret.T, secret.U] %}{{ x }};{% endfor %}": f"{TOKEN};***secret.U***;",
}
CHANGED = [
    "{{ VALUE | upper }}", "{{ VALUE | urlencode }}", "{{ VALUE | b64encode }}", "{{ VALUE | tojson }}", "{{ VALUE | trim }}",
    "{{ VALUE | replace('a', 'b') }}", "{{ VALUE | regex_replace('a', 'b') }}", "{{ VALUE | regex_search('.') }}", "{{ VALUE | length }}",
    "{{ VALUE | list | join }}", "{{ VALUE | first }}", "{{ VALUE | reverse }}", "{{ VALUE | int }}", "{{ VALUE | truncate(5) }}",
    "{{ [VALUE] }}", "{{ {'a': VALUE} }}", "{{ [VALUE] | tojson }}", "{{ {'a': VALUE} | tojson }}", "{{ [VALUE] | map('upper') | join }}",
    "{{ [VALUE, 'x'] | sort | join }}", "{{ [VALUE] | unique | join }}", "{{ {'a': VALUE} | urlencode }}",
    "{{ (VALUE ~ 'x') | upper }}", "{{ VALUE + 'x' }}", "{{ 'x' + VALUE }}", "{{ VALUE[0] }}", "{{ VALUE[1:] }}", "{{ VALUE.upper() }}",
    "{{ VALUE == 'x' }}", "{{ VALUE or 'x' }}", "{% if VALUE %}x{% endif %}", "{{ 'x' in VALUE }}", "{{ VALUE in 'x' }}", "{{ VALUE * 2 }}",
    "{{ '%s' % VALUE }}", "{{ '%s' | format(VALUE) }}", "{{ '{}'.format(VALUE) }}", "{{ 'x' | replace('x', VALUE) }}",
    "{% set x %}{{ VALUE }}{% endset %}{{ x | upper }}", "{% set x %}{{ VALUE }}{% endset %}{{ x | replace('T', 'U') }}",
    "{% set x %}{{ VALUE }}{% endset %}{{ x[:5] }}", "{% set x %}{{ VALUE }}{% endset %}{{ x | b64encode }}",
    "{% filter upper %}{{ VALUE }}{% endfilter %}",
]  # fmt: skip


@pytest.mark.parametrize("template", WHOLE)
def test_a_secret_goes_in_whole_from_wherever_it_stands(planner: Planner, template: str) -> None:
    assert planner.sent(template) == WHOLE[template]
    assert planner.sent("<{{ v }}>", vars={"v": template}) == f"<{WHOLE[template]}>"
    assert planner.sent("{{ v.a[0].b }}", vars={"v": {"a": [{"b": template}]}}) == WHOLE[template]
    assert planner.sent("{{ w }}", vars={"w": "{{ vars.v.a }}", "v": {"a": template}}) == WHOLE[template]


@pytest.mark.parametrize("template", CHANGED)
def test_or_not_at_all_at_any_depth(planner: Planner, template: str) -> None:
    told = ("secret", "where text is wanted")
    for said in (
        planner.said(spec={"a": template.replace("VALUE", "secret.T")}),
        planner.said(spec={"a": template.replace("VALUE", "v")}, vars={"v": "{{ secret.T }}"}),
        planner.said(spec={"a": template.replace("VALUE", "v")}, vars={"v": "Bearer {{ secret.T }}"}),
        planner.said(spec={"a": template.replace("VALUE", "reg.token")}, vars={"reg": {"token": "{{ secret.T }}"}}),
        planner.said(spec={"a": template.replace("VALUE", "reg[0].t")}, vars={"reg": [{"t": "a {{ secret.T }}"}]}),
    ):
        assert any(word in said.lower() for word in told)
        assert "made-up" not in said


def test_an_empty_secret_is_refused(planner: Planner) -> None:
    for name in ("EMPTY", "BLANK"):
        assert f"the secret {name} is empty" in planner.said(spec={"a": f"x{{{{ secret.{name} }}}}"})
        said = planner.said(spec={"a": "{{ v.a }}"}, vars={"v": {"a": f"{{{{ secret.{name} }}}}"}})
        assert f"vars.v.a: template: the secret {name} is empty" in said
    # A plan may be made where the secret is not known, and carried out where it is empty.
    del planner.program.env["T"]
    planner.plan(jobspec(spec={"a": "{{ secret.T }}"}))
    for value, says in ((None, "is not in the environment"), ("", "is empty"), (" ", "is empty")):
        planner.program.env |= {} if value is None else {"T": value}
        result = planner.program("run", "plan.json", *SIMULATED)
        assert (result.returncode, f"the secret T {says}" in result.stderr) == (2, True), result.stderr
    assert "no runs" in planner.program("list").stdout.lower()


@pytest.mark.parametrize(
    "template",
    [
        TOKEN,
        f"{{{{ '{TOKEN}' }}}}",
        "***{{ 'secret.T' }}***",
        "***{{ v }}***",
        "{{ env.TEXT }}",
        f"a{TOKEN}{{{{ secret.T }}}}",
    ],
)
def test_the_text_that_stands_for_a_secret_is_no_way_to_it(planner: Planner, template: str) -> None:
    planner.program.env["TEXT"] = TOKEN
    says = "the text that stands for the secret T is written out"
    assert says in planner.said("-e", "v=secret.T", "--allow-new-vars", spec={"a": template})
    assert says in planner.said(vars={"v": "secret.T", "w": template}, spec={"a": "{{ w }}"})
    assert says in planner.said("-e", f"v={TOKEN}", spec={"a": "x{{ v }}"})


PUBLIC = {
    "description": {"more": 'description: "{{ v }}"\n'},
    "steps[0].job_name": {"job_name": "x{{ v }}"},
    "groups[0].lane.region": {"group": ', lane: {region: "{{ v }}"}'},
    "rollout.checks[0].command[0]": {"more": 'rollout: {checks: [{name: a, command: ["{{ v }}"]}]}\n'},
    "rollout.checks[0].http": {"more": 'rollout: {checks: [{name: a, http: "http://{{ v }}"}]}\n'},
    "groups[0].select": {"select": "labels.rack == v"},
    "groups[0].split_by": {"group": ", split_by: 'labels[v]'"},
    "rollout.budget.per.labels[v]": {"more": 'rollout: {budget: {per: {"labels[v]": 1}}}\n'},
}


@pytest.mark.parametrize("path", PUBLIC)
def test_where_others_read_a_secret_is_refused_in_a_variable_too(planner: Planner, path: str) -> None:
    parts: dict[str, Any] = PUBLIC[path]
    said = planner.said(vars={"version": "1.0", "v": "{{ secret.T }}"}, **parts)
    assert f": {path}: " in said
    assert "a secret must not stand here" in said or "a secret can only be put in whole" in said


# Variables.


def test_variables_stand_in_any_order(planner: Planner) -> None:
    variables = {
        "a": "{{ b }}-{{ vars.c }}",
        "b": "{{ vars['c'] }}x{{ d.e[0] }}",
        "c": "1",
        "d": {"e": ["{{ f }}"]},
        "f": "F",
    }
    assert planner.sent("{{ a }}", vars=variables) == "1xF-1"
    assert planner.sent("{{ a }}", vars=dict(reversed(variables.items()))) == "1xF-1"
    variables = {"a": "{{ vars['v_' ~ k] }}", "k": "{{ j }}", "j": "z", "v_z": "{{ w }}", "w": "W"}
    assert planner.sent("{{ a }}", vars=variables) == "W"
    assert planner.sent("{{ vars.get('none', 'd') }}{{ vars.get('w') }}", vars=variables) == "dW"


@pytest.mark.parametrize(
    "form",
    [
        "{{ NAME }}",
        "{{ vars.NAME }}",
        "{{ vars['NAME'] }}",
        "{{ vars['NA' ~ 'ME'] }}",
        "x{% if vars.NAME %}{% endif %}",
    ],
)
def test_a_circle_is_said_however_it_goes_round(planner: Planner, form: str) -> None:
    def use(name: str) -> str:
        return form.replace("NAME", name).replace("'NA' ~ 'ME'", f"'{name}' ~ ''")

    said = planner.said(vars={"version": "1", "a": use("b"), "b": use("a")})
    assert (
        "vars.a: variables use each other in a circle: a -> b -> a" in said
        or "vars.b: variables use each other in a circle: b -> a -> b" in said
    )
    assert "variables use each other in a circle: a -> a" in planner.said(vars={"version": "1", "a": use("a")})
    said = planner.said(vars={"version": "1", "a": [use("b")], "b": {"c": use("d")}, "d": use("a")})
    assert "variables use each other in a circle" in said


@pytest.mark.parametrize("form", ["{{ %s }}", "{{ vars.%s }}"])
def test_a_long_chain_is_no_circle(planner: Planner, form: str) -> None:
    chain = {f"v{place}": form % f"v{place + 1}" for place in range(1500)}
    assert planner.sent("{{ v0 }}", vars={**chain, "v1500": "end"}) == "end"


def test_values_of_a_vars_file_are_templates_too(planner: Planner) -> None:
    (planner.folder / "v.yaml").write_text(
        'base: "24.1"\nversion: "{{ base }}.{{ patch }}"\nreg: {token: "{{ secret.T }}"}\n'
    )
    spec = planner.spec(
        "--vars-file", "v.yaml", vars={"patch": "7"}, spec={"a": "{{ version }}", "b": "{{ reg.token }}"}
    )
    assert spec == {"a": "24.1.7", "b": TOKEN}
    said = planner.said("--vars-file", "v.yaml", vars={"x": "7"})
    assert "v.yaml:2:10: version: template: 'patch' is undefined" in said


def test_what_a_variable_cannot_see_is_said(planner: Planner) -> None:
    said = planner.said(vars={"version": "{{ group.name }}"})
    assert (
        "vars.version: template: 'group' is undefined\n  the group cannot be seen here: docs/expressions.md says what can"
        in said
    )
    assert "did you mean `patch`?" in planner.said(vars={"version": "{{ pach }}", "patch": "1"})
    assert "`vars` has no 'versoin'\n  did you mean `version`?" in planner.said(spec={"a": "{{ vars.versoin }}"})


def test_the_key_of_a_slot_sees_the_variables_of_a_plan(planner: Planner) -> None:
    (planner.folder / "v.yaml").write_text('window: "w-{{ night }}"\n')
    plan = planner.plan(
        jobspec(vars={"version": "1", "night": "7"}), "--vars-file", "v.yaml", "-e", "who=me", "--allow-new-vars"
    )
    assert plan["variables"] == {"window": "w-{{ night }}", "who": "me"}
    command = ("run", "plan.json", *SIMULATED, "--once-key", "{{ window }}-{{ who }}")
    for says in ("finished", "already did (simulated) w-7-me: finished"):
        result = planner.program(*command)
        assert (result.returncode, says in result.stdout) == (0, True), result.stdout + result.stderr


def test_servers_are_expanded_after_they_are_rendered(planner: Planner) -> None:
    text = jobspec(vars={"prefix": "s", "last": "3", "version": "1"})
    listed = text.replace('select: "true"', 'servers: ["{{ prefix }}[1-{{ last }}]"]')
    assert [body["server_ids"] for body in map(_body, planner.plan(listed)["requests"])] == [["s1", "s2"], ["s3"]]
    alone = text.replace("inventory: fleet.csv\n", "").replace('select: "true"', 'servers: ["{{ prefix }}-[001-003]"]')
    assert [body["server_ids"] for body in map(_body, planner.plan(alone)["requests"])] == [
        ["s-001", "s-002"],
        ["s-003"],
    ]
    assert "groups[0].servers[0]: 's-[3-2]': [3-2] runs backwards" in planner.refused(
        alone.replace("[001-003]", "[3-2]")
    )


def _body(request: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = request["body"]
    return body
