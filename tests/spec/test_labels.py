"""Labels in expressions: text, looked up by name, and nothing else than what a person meant."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import Problem
from runner.model import Server
from runner.spec.campaign import Place, Template
from runner.spec.expressions import ServerExpression
from runner.spec.templates import TemplateProblem

HERE = Place("f.yaml", 3, 5, "select")
SERVER = Server(
    "id-1",
    "node-1",
    {"maint": "false", "rack": "7", "update": "yes", "items": "3", "location.rack": "r1", "v": "24.9", "get": "on"},
)


def value(source: str, *, is_condition: bool = True, planned: bool = False) -> Any:
    return ServerExpression(Template(source, HERE), is_condition=is_condition, planned=planned).value(SERVER)


def problem(source: str, *, is_condition: bool = True) -> Problem:
    with pytest.raises(TemplateProblem) as caught:
        value(source, is_condition=is_condition)
    assert (caught.value.problem.file, caught.value.problem.line) == ("f.yaml", 3)
    return caught.value.problem


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('labels.rack == "7"', True),
        ('labels["rack"] == "7"', True),
        ('labels.rack != "7"', False),
        ('labels.rack in ["7", "8"]', True),
        ('labels.rack is in ["7"]', True),
        ('labels.rack is eq "7"', True),
        ("labels.rack|int == 7", True),
        ("labels.rack|int < 10", True),
        ("labels.v|float > 24", True),
        ('labels.update == "yes"', True),
        ('labels.update != "yes"', False),
        ('labels.items == "3"', True),
        ('labels.get == "on"', True),
        ('labels.values == "x"', False),
        ("labels.keys is defined", False),
        ('labels.get("rack") == "7"', True),
        ('labels.get("absent") is none', True),
        ('labels.get("absent", "x") == "x"', True),
        ('"absent" in labels', False),
        ("labels.absent is defined", False),
        ('labels.absent == "x"', False),
        ('labels.absent != "x"', True),
        ('labels.absent|default("") == ""', True),
        ("labels.absent|int(0) == 0", True),
        ('labels.location.rack == "r1"', True),
        ('labels["location.rack"] == "r1"', True),
        ('"r" in labels.location.rack', True),
        ('labels.rack.startswith("7")', True),
        ('labels.rack < "8"', True),
        ('id == "id-1" and name == "node-1"', True),
        ("true", True),
    ],
)
def test_what_is_written_is_what_is_meant(source: str, expected: object) -> None:
    assert value(source) == expected


@pytest.mark.parametrize(
    ("source", "says", "hint"),
    [
        ("not labels.maint", "labels.maint is text, and is used as true or false", 'write labels.maint == "..."'),
        ("labels.maint", "labels.maint is text, and is used as true or false", "labels.maint is defined"),
        ("labels.maint and true", "used as true or false", 'labels.maint == "..."'),
        ("true and labels.maint", "used as true or false", 'labels.maint == "..."'),
        ("true if labels.maint else false", "used as true or false", 'labels.maint == "..."'),
        ('not labels.get("maint")', "used as true or false", 'write labels.get("maint") == "..."'),
        ("labels.rack|int", "is a number, and is used as true or false", "write labels.rack|int > 0"),
        ("labels", "labels are used as true or false", "labels.ring"),
        ('"true"', '"true" is text, and is used as true or false', "write true"),
        ("1", "1 is a number, and is used as true or false", "write true"),
        (
            "labels.rack != 7",
            "labels.rack is text, and is compared with the number 7",
            'write != "7", or labels.rack|int',
        ),
        ("7 == labels.rack", "labels.rack is text, and is compared with the number 7", 'write == "7"'),
        ("labels.rack == 7.0", "compared with the number 7.0", 'write == "7.0"'),
        ("labels.maint == false", "labels.maint is text, and is compared with false", 'write == "false"'),
        ("labels.maint is false", "labels.maint is text and never false", 'write == "..."'),
        ("labels.maint is number", "never number", "|int"),
        ("labels.maint == none", "compared with none", "write labels.maint is defined"),
        ("labels.maint is none", "labels.maint is text and never none", "labels.maint is undefined"),
        ('labels.maint == ""', "labels.maint is never empty", "write labels.maint is defined"),
        ("labels.rack in [7, 8]", "compared with the number 7", 'write == "7"'),
        ("labels.rack is in [7]", "compared with the number 7", 'write == "7"'),
        ("labels.rack is eq 7", "compared with the number 7", 'write == "7"'),
        ("7 in labels.rack", "compared with the number 7", 'write == "7"'),
        ("labels.rack < 10", "compared with the number 10", "write labels.rack|int to compare numbers"),
        ('labels.rack|int == "7"', '"7" is text, and is compared with a number', "|int"),
        ("labels.rack|lower == 7", "labels.rack|lower is text", 'write == "7"'),
        ('labels.rack ~ "" == 7', "is text, and is compared with the number 7", 'write == "7"'),
        ("labels.rack is sameas '7'", "one and the same object", 'labels.rack == "..."'),
        ("labels.items()", "labels.items(...): labels are looked up by name", "labels.NAME"),
        ("id == 7", "id is text, and is compared with the number 7", 'write == "7"'),
        # Only the value of a server shows these.
        ("[labels.rack][0] == 7", 'the text "7" is compared with 7', 'write == "7"'),
        ("[labels.rack][0]", 'it gives the text "7"; expected true or false', 'write ... == "7"'),
        ('labels.v < "24.10"', "out of order as numbers", "|int"),
        ('labels.rack < "10"', "out of order as numbers", "|int"),
        ("labels.maint|int == 0", '"false" is no number', "|int(0)"),
        ("labels.absent|int < 10", "a label that the server lacks is no number", "|int(0)"),
        ('labels.absent < "10"', "it has no label `absent`", "|default(...)"),
        ("labels.absent|float < 10", "a label that the server lacks is no number", "|int(0)"),
    ],
)
def test_a_label_is_not_taken_for_what_it_is_not(source: str, says: str, hint: str) -> None:
    found = problem(source)
    assert says in found.message
    assert hint in found.hint


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("labels.rack", "7"),
        ("labels.absent", None),
        ('labels.absent|default("none")', "none"),
        ('labels.rack == "7"', True),
    ],
)
def test_the_value_of_an_expression_is_plain(source: str, expected: object) -> None:
    found = value(source, is_condition=False)
    assert found == expected
    assert type(found) is type(expected)


def test_what_stands_for_a_label_that_lacks_is_not_written_with_or() -> None:
    assert "used as true or false" in problem('labels.absent or "none"', is_condition=False).message


@pytest.mark.parametrize(
    ("source", "named", "missed"),
    [
        ('labels.a == "x" or labels["b"] == "y" and id != "z"', {"a", "b"}, set()),
        ("labels.a is defined", {"a"}, {"a"}),
        ('labels.a is undefined or labels.a == "x"', {"a"}, {"a"}),
        ('labels.get("a") == "x"', {"a"}, {"a"}),
        ('labels.a|default("x") == "x"', {"a"}, {"a"}),
        ('"a" in labels and labels.b == "x"', {"b"}, {"a"}),
        ('labels.a.b == "x"', {"a.b"}, set()),
        ('labels.a.split("-")[0] == "x"', {"a"}, set()),
        ("labels.a.startswith(labels.b)", {"a", "b"}, set()),
    ],
)
def test_which_labels_an_expression_names(source: str, named: set[str], missed: set[str]) -> None:
    use = ServerExpression(Template(source, HERE), is_condition=True).use
    assert (set(use.named), set(use.missed)) == (named, missed)


def test_hundreds_of_clauses_are_read() -> None:
    clauses = [f'labels.rack == "{place}"' for place in range(1200)]
    assert value(" or ".join(clauses)) is True
    assert value(" and ".join(clauses[:600])) is False
    assert value(" or ".join(clauses[8:600])) is False


@given(
    st.lists(st.sampled_from(["true", "false"]), min_size=1, max_size=9),
    st.lists(st.sampled_from(["and", "or"]), min_size=9),
)
def test_long_chains_mean_what_they_meant(values: list[str], operators: list[str]) -> None:
    parts = [part for pair in zip(values, operators, strict=False) for part in pair][: 2 * len(values) - 1]
    source = " ".join(parts)
    assert value(source) is eval(source.replace("true", "True").replace("false", "False"))  # noqa: S307  drawn from four words


@pytest.mark.parametrize(
    "source", ["(" * 500 + "true" + ")" * 500, "not " * 5000 + "true", " + ".join(["1"] * 9000) + " == 2"]
)
def test_what_is_nested_too_deep_is_an_error_of_the_expression(source: str) -> None:
    assert problem(source).message == "expression: nested too deep, or too long"


@pytest.mark.parametrize(
    "source", ['labels.rack|uper == "x"', "labels.rack is foo", "labels.rack ==", "labels.rack) == 7"]
)
def test_what_is_no_expression_is_an_error_of_the_file(source: str) -> None:
    assert problem(source).message.startswith("expression: ")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("labels.values()|list|length", 7),
        ('labels.absent or "x"', "x"),
        ('labels.get("rack")', "7"),
        ("labels.rack == 7", False),
        ("labels.rack|striptags", "7"),
        ('labels.get("rack")|int + labels.rack|int', 14),
        ("name|int", 0),
    ],
)
def test_an_expression_of_a_plan_means_what_it_meant_when_that_was_made(source: str, expected: object) -> None:
    assert value(source, is_condition=False, planned=True) == expected


sides = st.sampled_from(
    [
        "labels.rack",
        "labels.absent",
        "labels.v",
        'labels.get("rack")',
        "id",
        '"7"',
        "7",
        "true",
        "none",
        "labels.rack|int",
        'labels.absent|default("7")',
    ]
)
comparisons = st.builds(" ".join, st.tuples(sides, st.sampled_from(["==", "!=", "<", ">=", "in", "not in"]), sides))
conditions = st.recursive(
    comparisons | sides,
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner)
        | st.builds("(not {})".format, inner)
    ),
    max_leaves=5,
)


@given(conditions)
def test_any_expression_selects_or_is_refused(source: str) -> None:
    """What is not refused is true or false, and what it is without any of the checks."""
    try:
        selected = value(source)
    except TemplateProblem:
        return
    assert isinstance(selected, bool)
    assert selected is value(source, planned=True)
