"""Whatever is written for a template or an expression: text, a value, or a problem with its place; and never Python's text."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from runner.model import Server
from runner.spec.campaign import Place, Template
from runner.spec.expressions import ServerExpression
from runner.spec.filters import FILTERS, TESTS
from runner.spec.methods import METHODS
from runner.spec.names import Names
from runner.spec.secrets import SecretNames, secret_names
from runner.spec.templates import TemplateProblem, TextRenderer, render_value

HERE = Place("f.yaml", 3, 5, "x")
VARIABLES = {
    "text": "a<b",
    "flag": True,
    "none": None,
    "list": ["x", False, None],
    "map": {"update": "u", "n": 1.5},
    "number": 7,
}
NAMES = [*VARIABLES, "env", "vars", "secret", "secret.T", "env.E", "map.update", "labels", "labels.rack", "id", "name", "nothing", "range", "dict", "loop", "self"]  # fmt: skip

# Of `true`, these make `True`, as they are asked to.
FILTERS_HERE = sorted(FILTERS.keys() - {"title", "capitalize"})
METHODS_HERE = sorted(METHODS - {"title", "capitalize"})

constants = st.sampled_from(["'t'", "1", "2.5", "true", "none", "[]", "{}", "['a', 1]", "{'k': true}", "()"])
expressions = st.recursive(
    constants | st.sampled_from(NAMES),
    lambda inner: st.one_of(
        st.builds("({} | {})".format, inner, st.sampled_from(FILTERS_HERE)),
        st.builds("({} | {}({}))".format, inner, st.sampled_from(FILTERS_HERE), inner),
        st.builds("({} is {})".format, inner, st.sampled_from(sorted(name for name in TESTS if name.isidentifier()))),
        st.builds("{}.{}({})".format, inner, st.sampled_from(METHODS_HERE), inner),
        st.builds("{}.{}".format, inner, st.sampled_from([*METHODS_HERE, "__class__", "n", "update"])),
        st.builds("{}[{}]".format, inner, inner),
        st.builds(
            "({} {} {})".format,
            inner,
            st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "~", "==", "<", "in", "and", "or"]),
            inner,
        ),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("{{'k': {}}}".format, inner),
        st.builds("'%s-%d' % ({}, {})".format, inner, inner),
        st.builds("'{{}}-{{0}}'.format({})".format, inner),
        st.builds("dict(a={})".format, inner),
    ),
    max_leaves=6,
)
pieces = st.one_of(
    st.builds("{{{{ {} }}}}".format, expressions),
    st.builds("{{% if {} %}}x{{% endif %}}".format, expressions),
    st.builds("{{% for x in {} %}}{{{{ x }}}}{{% endfor %}}".format, expressions),
    st.builds("{{% set text = {} %}}{{{{ text }}}}".format, expressions),
    st.builds("{{% set t %}}{{{{ {} }}}}{{% endset %}}{{{{ t }}}}".format, expressions),
    st.sampled_from(
        ["{{", "}}", "{%", "%}", "{#", "#}", "{% raw %}", "{% endraw %}", "${#", "-", "x", "***", "{{- text -}}", "\n"]
    ),
)
PYTHON = re.compile(r"\bTrue\b|\bFalse\b|\bNone\b|<[a-z]+ .*>|object at 0x|<class|\['|\{'|^\(")


def is_said(error: TemplateProblem) -> None:
    assert error.problem.file == "f.yaml"
    assert (error.problem.line or 0) >= 3
    assert error.problem.message


def context() -> dict[str, Any]:
    env = {"E": "of the environment", "T": "made-up-secret"}
    return {**VARIABLES, "env": Names("env", env), "secret": SecretNames(env), "vars": Names("vars", VARIABLES)}


@given(st.lists(pieces, min_size=1, max_size=4).map("".join))
@example("{{ '%s' % map }}")
@example("{{ nothing.__class__ }}")
@example("{{ (list | batch(2)) | tojson }}")
def test_a_template_gives_text_or_a_problem(source: str) -> None:
    try:
        text = TextRenderer(Template(source, HERE))(context())
    except TemplateProblem as error:
        is_said(error)
        return
    assert not PYTHON.search(text), text
    assert "made-up-secret" not in text
    assert text.count("***") >= 2 * len(secret_names(text))
    assert "secret." not in re.sub(r"\*\*\*secret\.\w+\*\*\*", "", text)


@given(expressions)
def test_a_variable_gets_a_value_or_a_problem(source: str) -> None:
    try:
        value = render_value(Template("{{ " + source + " }}", HERE), context())
    except TemplateProblem as error:
        is_said(error)
        return
    assert TextRenderer(Template("{{ value is defined }}", HERE))({**context(), "value": value}) == "true"


@given(expressions | st.text(max_size=30))
def test_an_expression_over_servers_gives_a_value_or_a_problem(source: str) -> None:
    try:
        ServerExpression(Template(source, HERE), VARIABLES).value(Server("i", "n", {"rack": "r1"}))
    except TemplateProblem as error:
        is_said(error)
