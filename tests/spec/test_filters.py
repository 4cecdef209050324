"""Filters by themselves, and which version is newer."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.spec.campaign import Place, Template
from runner.spec.filters import FILTERS, TESTS
from runner.spec.templates import TemplateProblem, TextRenderer, render_value
from runner.spec.texts import NotRendered, json_text
from runner.spec.versions import compare_versions

HERE = Place("f.yaml", 3, 5, "x")


def rendered(source: str, **context: Any) -> str:
    return TextRenderer(Template(source, HERE))(context)


IN_ORDER = [
    "7.3", "23.0.rc2.2", "23.0.0", "24.0.9", "24.1.dev1", "24.1.alpha2", "24.1.beta1", "24.1.rc1", "24.1.rc3", "24.1.rc3.9",
    "24.1.RC3.10", "24.1.0", "24.1.0.spc1", "24.1.0.SPC100", "24.1.0.3", "24.1.0.3.220", "24.1.1", "24.2.rc1", "24.10", "100.1",
]  # fmt: skip


def test_versions_of_each_kind_are_in_order() -> None:
    for older, newer in pairwise(IN_ORDER):
        assert compare_versions(older, newer) < 0 < compare_versions(newer, older), (older, newer)
    for one in IN_ORDER:
        assert compare_versions(one, one) == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [("24.1", "24.1.0"), ("24.1.0.0", "24.1"), ("v24.1", "24.1"), ("24.1.RC3", "24.1.rc3"), ("24.1-rc3", "24.1.rc3"), ("24.1rc3", "24.1.rc.3"), ("024.1", "24.1"), ("24.1.0.rc1", "24.1.rc1"), (" 24.1 ", "24.1")],
)  # fmt: skip
def test_versions_that_are_the_same(one: str, other: str) -> None:
    assert compare_versions(one, other) == 0


@pytest.mark.parametrize(
    ("one", "other", "says"),
    [
        ("24.1.b080", "24.1.0", "is not known"),
        ("24.1.rc1", "24.1.pre1", "is not known"),
        ("24.1.b1", "24.1.c1", "is not known"),
        ("", "24.1", "no version"),
        ("latest", "24.1", "no version"),
        ("24..1", "24.1", "no version"),
        ("1" * 60 + "!", "24.1", "no version"),
    ],
)
def test_what_cannot_be_compared_is_said(one: str, other: str, says: str) -> None:
    with pytest.raises(NotRendered, match=says):
        compare_versions(one, other)
    with pytest.raises(NotRendered, match=says):
        compare_versions(other, one)
    assert compare_versions("24.1.b080", "24.1.b079") > 0


numbers = st.lists(st.integers(0, 30).map(str), min_size=1, max_size=4).map(".".join)
versions = st.tuples(numbers, st.sampled_from(["", ".rc", ".dev", ".spc"]), st.integers(0, 30)).map(
    lambda parts: f"{parts[0]}{parts[1]}{parts[2]}" if parts[1] else parts[0]
)


@given(versions, versions, versions)
def test_one_order_holds_for_all(one: str, two: str, three: str) -> None:
    assert (compare_versions(one, two) > 0) == (compare_versions(two, one) < 0)
    if compare_versions(one, two) <= 0 and compare_versions(two, three) <= 0:
        assert compare_versions(one, three) <= 0


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ '24.1.rc3.10' | version_compare('24.1.rc3.9', '>') }}", "true"),
        ("{{ '24.1.0' is version_compare('24.1.rc3', '>') }}", "true"),
        ("{{ '24.1' | version_compare('24.1.0') }}", "true"),
        ("{{ '24.1' | version_compare('24.2', '>=') }}", "false"),
        ("{{ 'node-17' | regex_match('node') }}", "node"),
        ("{{ 'node-17' | regex_search('[0-9]+') }}", "17"),
        ("{{ 'node-17' | regex_search('node-([0-9])') }}", "1"),
        ("{{ 'NODE' | regex_match('node', ignorecase=true) }}", "NODE"),
        ("{{ 'a1b2' | regex_replace('([0-9])', '<\\\\1>') }}", "a<1>b<2>"),
        ("{{ 'é' | b64encode }}", "w6k="),
        ("{{ nothing | default('d') }}", "d"),
        ("{{ '' | default('d') }}", ""),
        ("{{ '' | default('d', true) }}", "d"),
        ("{{ 'Yes' | bool }}", "true"),
        ("{{ '0' | bool }}", "false"),
        ("{% if 'false' | bool %}a{% else %}b{% endif %}", "b"),
        ("{{ [{'n': true}] | map(attribute='n') | join }}", "true"),
        ("{{ [{'update': 'x'}] | map(attribute='update') | join }}", "x"),
        ("{{ [{'n': 2}, {'n': 1}] | sort(attribute='n') | join('-', attribute='n') }}", "1-2"),
        ("{{ {'b': 1, 'a': true} | dictsort | map('join', '=') | join(',') }}", "a=true,b=1"),
        ("{% for k, v in {'a': 1}.items() %}{{ k }}={{ v }}{% endfor %}", "a=1"),
        ("{% for g in [{'a': 1}, {'a': 1}] | groupby('a') %}{{ g.grouper }}x{{ g.list | length }}{% endfor %}", "1x2"),
        ("{% set n = namespace(x=1) %}{% for i in [1, 2] %}{% set n.x = n.x + i %}{% endfor %}{{ n.x }}", "4"),
        ("{% for i in 'ab' %}{{ loop.index }}{{ loop.last }}{{ loop.cycle('x', 'y') }}{% endfor %}", "1falsex2truey"),
        ("{{ 'a,b'.split(',') | join(';') }}{{ 'ab'.upper() }}{{ 'ab'.replace('a', 'c') }}", "a;bABcb"),
        ("{{ '%s-%03d%%r' % ('a', 7) }}{{ '%(a)s' % {'a': true} }}{{ '{:>3}'.format(7) }}", "a-007%rtrue  7"),
        ("{{ 'a' if false }}", ""),
        ("{{ 5 // 2 }}{{ 5 % 2 }}{{ 2 ** 10 }}{{ 'ab' * 2 }}", "211024abab"),
    ],
)
def test_what_filters_give(source: str, text: str) -> None:
    assert rendered(source) == text


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{{ 'a' | regex_match('b') }}", "is null, where text is wanted"),
        ("{{ 'a' | regex_search('(') }}", "is no regular expression"),
        ("{{ 'a' | regex_search('x*') }}", "found in everything"),
        ("{{ 'a' | regex_replace('a', '\\\\9') }}", "is no replacement"),
        ("{{ '1' | version_compare('1', '=>') }}", "is no comparison"),
        ("{{ 'perhaps' | bool }}", "neither true nor false"),
        ("{{ 'abc' | join }}", "`join` is for lists, and this is text"),
        ("{{ {'a': 1} | join }}", "`join` is for lists, and this is a mapping"),
        ("{{ '%r' % 'a' }}", "%r and %a write as Python does"),
        ("{{ '%-5.3a' % 'a' }}", "%r and %a write as Python does"),
        ("{{ '%(b)r' % {'b': 'a'} }}", "%r and %a write as Python does"),
        ("{{ '%s' % {'a': 1} }}", "a mapping, where text is wanted"),
        ("{{ nothing | upper }}", "'nothing' is undefined"),
        ("{{ nothing | tojson }}", "'nothing' is undefined"),
        ("{{ [nothing] | join }}", "'nothing' is undefined"),
        ("{{ nothing.items() }}", "'nothing' is undefined"),
        ("{{ 'a' | to_json }}", "did you mean `tojson`"),
        ("{{ 'a' is match('b') }}", "did you mean `regex_match`"),
        ("{{ range(100000000) | join }}", "range|Range"),
    ],
)
def test_what_filters_refuse(source: str, says: str) -> None:
    with pytest.raises(TemplateProblem, match=says):
        rendered(source)


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(trees)
def test_json_is_what_every_reader_of_json_takes_it_for(value: Any) -> None:
    assert json.loads(json_text(value)) == value
    assert list(json.loads(json_text(value))) == list(value) if isinstance(value, dict) else True


@given(trees)
def test_one_single_expression_gives_the_value_itself(value: Any) -> None:
    assert render_value(Template(" {{ v }}\n", HERE), {"v": value}) == value
    assert render_value(Template("{{- v -}}", HERE), {"v": value}) == value


def test_filters_for_pages_of_the_web_and_for_chance_are_not_there() -> None:
    assert not {"random", "pprint", "attr", "escape", "e", "xmlattr", "urlize"} & FILTERS.keys()
    assert not {"callable", "escaped"} & TESTS.keys()
