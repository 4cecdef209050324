from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from runner.errors import InvalidInput
from runner.model import Server
from runner.spec.campaign import Place, Template
from runner.spec.document import jobspec_schema
from runner.spec.expressions import ServerExpression
from runner.spec.loading import load_campaign
from runner.spec.quantities import parse_duration, parse_rate
from runner.spec.ranges import RangeError, expand_ranges
from runner.spec.secrets import SecretNames, SecretText, mask, redactor, reference, resolve
from runner.spec.templates import TemplateProblem, TextRenderer, render_text, render_value
from runner.spec.yaml_source import read_yaml

ROOT = Path(__file__).parents[2]
GOOD = (ROOT / "jobspecs" / "hdk-upgrade.yaml").read_text()
HERE = Place("f.yaml", 3, 5, "x")


def template(source: Any) -> Template:
    return Template(source, HERE)


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        load_campaign(text, "f.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_a_good_jobspec_has_its_values_and_their_places() -> None:
    campaign = load_campaign(GOOD, "f.yaml")
    assert [group.name for group in campaign.groups] == ["canary", "training", "by-hand"]
    assert campaign.submit.rate == 10.0
    spec = campaign.steps[0].items[0].spec["version"]
    assert (spec.source, GOOD.splitlines()[spec.place.line - 1][spec.place.column - 1 :]) == (
        "{{ version }}",
        '"{{ version }}"}',
    )


def test_every_problem_is_said_at_once_in_the_order_of_lines() -> None:
    text = GOOD.replace("select: labels.ring", "selct: labels.ring").replace("is_reboot: false", "is_reboot: 3")
    said = problems(text.replace("rate: 10/s\n  job_timeout", "rate: fast\n  job_timeout"))
    assert len(said) == 3
    assert "did you mean `select`?" in said[0]
    assert "expected true or false, found the number 3" in said[1]
    assert "'fast' is no rate; expected a rate such as 10/s" in said[2]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("name: training", "name: canary", "a second group called `canary`"),
        ("    split_by: labels.flavor\n", "    servers: [x]\n", "has both of `select` and `servers`"),
        ('job_name: "hdk-{{ group.name }}"', 'job_name: "{{ secret.X }}"', "a secret must not stand here"),
        ('job_name: "hdk-{{ group.name }}"', 'job_name: "{{ group.name"', "template: unexpected end"),
        ("api_version: runner/v1", "api_version: runner/v9", "expected 'runner/v1', found the text 'runner/v9'"),
        ("[00101-00110]", "[00110-00101]", "runs backwards"),
        ("servers_per_job: 20", "servers_per_job: many", "expected a whole number, found the text 'many'"),
    ],
)
def test_one_mistake(old: str, new: str, says: str) -> None:
    assert old in GOOD
    assert any(says in said for said in problems(GOOD.replace(old, new)))


@pytest.mark.parametrize("text", ["", "- a\n", "a: 1\n---\nb: 2\n", "a: [1\n", "a:\n\t- b\n", "a: &x [*x]\n"])
def test_what_is_no_jobspec_at_all_is_said_in_one_problem(text: str) -> None:
    assert len(problems(text)) == 1


def test_a_bomb_of_aliases_is_refused_quickly() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9))
    with pytest.raises(InvalidInput, match="more than 200,000 values"):
        read_yaml(bomb, "f.yaml")


@pytest.mark.parametrize(
    ("text", "value"), [("no", "no"), ("1e3", 1000.0), ("0x10", 16), ("~", None), ("012", 12), ("true", True)]
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    assert read_yaml(f"a: {text}\n", "f").data["a"] == value


@given(
    st.dictionaries(st.text("abc", min_size=1), st.one_of(st.integers(), st.text("xyz -"), st.booleans()), max_size=5)
)
def test_json_is_yaml(value: dict[str, Any]) -> None:
    assert read_yaml(json.dumps(value), "f").data == value


@given(st.integers(0, 500), st.integers(0, 40), st.integers(1, 6))
def test_a_range_gives_each_name_once_in_order_and_keeps_its_zeros(first: int, more: int, width: int) -> None:
    text = str(first).zfill(width)
    names = expand_ranges(f"n-[{text}-{first + more}]x")
    assert names == [f"n-{str(number).zfill(width)}x" for number in range(first, first + more + 1)]


def test_ranges_multiply() -> None:
    assert expand_ranges("r[1,3]-[01-02]") == ["r1-01", "r1-02", "r3-01", "r3-02"]


@pytest.mark.parametrize("text", ["a[", "a]", "a[]", "a[x]", "a[2-1]", "a[1-9999999]", "a[[1]]"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(RangeError):
        expand_ranges(text)


def test_quantities() -> None:
    assert (parse_duration("90s"), parse_duration("2h"), parse_duration("500ms")) == (90.0, 7200.0, 0.5)
    assert (parse_rate("10/s"), parse_rate("600/m"), parse_rate("unlimited")) == (10.0, 10.0, float("inf"))
    assert (parse_duration("2 hours"), parse_rate("10"), parse_rate("0/s"), parse_duration("0s")) == (None,) * 4


def test_one_single_expression_keeps_its_type() -> None:
    assert render_value(template("{{ n + 1 }}"), {"n": 1}) == 2
    assert render_value(template("v{{ n }}"), {"n": 1}) == "v1"
    assert render_value(template(True), {}) is True


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{{ verison }}", "did you mean `version`?"),
        ("{{ version.major }}", "text has no 'major'"),
        ("{{ ().__class__ }}", "a list has no '__class__'"),
        ("{{ 'x' * 100000000 }}", "characters|template"),
        ("{% include 'x' %}", "template"),
    ],
)
def test_a_template_that_cannot_be_rendered_says_where_and_why(source: str, says: str) -> None:
    with pytest.raises(TemplateProblem, match=says) as caught:
        render_text(template(source), {"version": "1"})
    assert str(caught.value).startswith("f.yaml:3:5: x: ")


@pytest.mark.parametrize("change", ["upper", "reverse", "urlencode", "replace('s', 'z')", "truncate(5, true)"])
def test_a_secret_gets_into_a_value_whole_or_not_at_all(change: str) -> None:
    context = {"secret": SecretNames()}
    assert TextRenderer(template("a-{{ secret.KEY }}"))(context) == "a-" + reference("KEY")
    with pytest.raises(TemplateProblem):
        TextRenderer(template("{{ secret.KEY | string | " + change + " }}"))(context)
    token = SecretText(reference("KEY"), context["secret"])
    with pytest.raises(TemplateProblem):
        TextRenderer(template("{{ token | " + change + " }}"))({**context, "token": token})


def test_secrets_are_masked_for_people_and_resolved_for_the_wire() -> None:
    text = f"a-{reference('KEY')}-b"
    assert mask(text) == "a-***-b"
    assert resolve({"x": [text]}, {"KEY": "v"}) == {"x": ["a-v-b"]}
    assert redactor(["longsecret"])("it says longsecret") == "it says ***"


def test_a_missing_label_selects_nothing_and_an_unknown_name_is_an_error() -> None:
    server = Server("i", "n", {"ring": "canary"})
    assert ServerExpression(template('labels.ring == "canary"')).value(server) is True
    assert not ServerExpression(template('labels.rack == "r1"')).value(server)
    assert ServerExpression(template("labels.ring")).uses_only_labels
    assert not ServerExpression(template('id == "x"')).uses_only_labels
    with pytest.raises(TemplateProblem, match="did you mean `labels`"):
        ServerExpression(template("lables.ring"))


def test_the_schema_takes_every_ready_jobspec_and_refuses_wrong_ones() -> None:
    validator = Draft202012Validator(jobspec_schema())
    for path in (ROOT / "jobspecs").glob("*.yaml"):
        data = read_yaml(path.read_text(), path.name).data
        assert not list(validator.iter_errors(data)), path.name
        assert list(validator.iter_errors({**data, "grups": []}))
        assert list(validator.iter_errors({**data, "submit": {"burst": "many"}}))
