"""YAML and JSON as they are read: what is taken, as what, and what is refused with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import InvalidInput
from runner.spec.json_source import read_document, read_json
from runner.spec.yaml_source import read_yaml


def said(text: str, file: str = "f.yaml") -> str:
    with pytest.raises(InvalidInput) as caught:
        read_document(text, file)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: !include x.yaml\n", "f.yaml:1:4: a: the tag `!include`"),
        ("a: 1\nb: !vault |\n  6162\n", "f.yaml:2:4: b: the tag `!vault`"),
        ("- !env TOKEN\n", "f.yaml:1:3: [0]: the tag `!env`"),
        ("a: !secret {b: c}\n", "a: the tag `!secret`"),
        ("a: !list [b]\n", "a: the tag `!list`"),
        ("!top\na: 1\n", "the tag `!top`"),
        ("!key a: 1\n", "the tag `!key`"),
        ("a: !!binary aGk=\n", "the tag `!!binary`"),
        ("a: !!set {x}\n", "the tag `!!set`"),
        ("a: !!python/object:x.Y {}\n", "the tag `!!python/object:x.Y`"),
        ("a: !!int many\n", "'many' is no number"),
        ("a: !!bool yes\n", "'yes' is no bool"),
        ("a: !!null some\n", "'some' is no null"),
    ],
)
def test_a_tag_is_refused_with_its_place(text: str, says: str) -> None:
    assert says in said(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("a: !!str 24.10", "24.10"), ("a: !!str true", "true"), ('a: !!int "012"', 12), ("a: !!bool TRUE", True)],
)
def test_a_tag_of_the_language_itself_is_one(text: str, value: object) -> None:
    assert read_yaml(text, "f").data["a"] == value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("%YAML 1.1\n---\na: no\n", "f.yaml:1:1: `%YAML 1.1`: another version of YAML"),
        ("# first\n\n%YAML 1.1\n---\na: 1\n", "f.yaml:3:1: `%YAML 1.1`"),
        ("%YAML 1.3\n---\na: 1\n", "`%YAML 1.3`"),
        ("%YAML 2.0\n---\na: 1\n", "`%YAML 2.0`"),
        ("a: 1\n%YAML 1.1012\n", "f.yaml:2:1: `%YAML 1.1012`: another version of YAML"),
        ("%FOO bar\n---\na: 1\n", "`%FOO bar`: a directive that is not known here"),
        ("%TAG ! tag:example.org,2000:\n---\na: !b 1\n", "`%TAG ! tag:example.org,2000:`"),
    ],
)
def test_a_directive_is_refused(text: str, says: str) -> None:
    assert says in said(text)


@pytest.mark.parametrize(
    "text", ["%YAML 1.2\n---\na: no\n", "%YAML 1.2 # here\r\n---\r\na: no\r\n", "# %YAML 1.1\na: no\n"]
)
def test_the_version_that_is_read_may_be_named(text: str) -> None:
    assert read_yaml(text, "f").data == {"a": "no"}


@pytest.mark.parametrize("merged", ["5", "text", "[1, 2]", "", "[*x, text]"])
def test_a_merge_of_no_mapping_is_an_error(merged: str) -> None:
    assert "`<<` merges a mapping" in said(f"x: &x {{a: 1}}\ny:\n  <<: {merged}\n  b: 2\n")


def test_a_merge_is_what_yaml_says() -> None:
    text = "x: &x {a: 1, b: 2}\nz: &z {b: 3, c: 4}\ny:\n  a: 9\n  <<: [*x, *z]\n"
    source = read_yaml(text, "f")
    assert source.data["y"] == {"a": 9, "b": 2, "c": 4}
    assert source.position(("y", "a")) == (4, 6)
    assert source.position(("y",)) == (4, 3)
    assert "a second `<<`" in said("x: &x {a: 1}\ny:\n  <<: *x\n  <<: *x\n")
    assert read_yaml('"<<": 1\n', "f").data == {"<<": 1}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("job_name: {{ version }}\n", 'in quotes: "{{ version }}"'),
        ("a: [{{ version }}]\n", 'in quotes: "{{ version }}"'),
        ('a: {{ v | default("x") }}\n', "in quotes: '{{ v | default(\"x\") }}'"),
        ("a: {{ v }}-x\n", 'in quotes: "{{ v }}-x"'),
        ("- {{ v }}/x\n", 'in quotes: "{{ v }}/x"'),
        ("a: {% if x %}y{% endif %}\n", 'in quotes: "{% if x %}y{% endif %}"'),
        ("a:\n\t- b\n", "indent with spaces, not tabs"),
        ("a: x\x00y\n", "f.yaml:1:5: not valid YAML: the control character '\\x00'"),
        ("b: 1\na: x\x07y\n", "f.yaml:2:5: not valid YAML: the control character '\\x07'"),
        ("? [a]\n: 1\n", "a key must be plain text"),
    ],
)
def test_a_mistake_of_yaml_says_what_to_write(text: str, says: str) -> None:
    assert says in said(text)


@pytest.mark.parametrize(
    "write", [json.dumps, lambda v: json.dumps(v, ensure_ascii=False), lambda v: json.dumps(v, indent="\t")]
)
@pytest.mark.parametrize("text", ["😀", "a\x7fb", "\u2028\x85", '"\\/\b\f\n\r\t', "\x1b[2J", "é漢"])
def test_json_is_read_as_every_library_writes_it(write: Any, text: str) -> None:
    value = {"api_version": text, "b": [text, {text: None}]}
    assert read_document(write(value), "f.json").data == value
    assert read_document(write([value]), "f.yaml").data == [value]


def test_a_pair_of_surrogates_is_a_character_in_yaml_too() -> None:
    assert read_yaml('a: "\\ud83d\\ude00"\n', "f").data == {"a": "😀"}


@pytest.mark.parametrize("text", ['{\n "a": "x\\ud83d"}', '{\n "\\ude00": 1}', '{\n "a": ["\\ude00\\ud83d"]}'])
def test_half_of_a_character_is_refused_with_its_place(text: str) -> None:
    assert "f.json:2:" in said(text, "f.json")
    assert "half of a character" in said(text, "f.json")
    assert "half of a character" in said(text.replace("{\n", "{\n  x: y,"), "f.yaml")  # YAML, and no JSON


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": 1,}', 'f.json:1:9: not valid JSON: expected a key in "..."'),
        ('{"a": 1\n "b": 2}', "f.json:2:2: not valid JSON: expected `,`"),
        ('{"a" 1}', "expected `:`"),
        ("{a: 1}", 'expected a key in "..."'),
        ('{"a": NaN}', "f.json:1:7: not valid JSON: expected a value"),
        ('{"a": tru}', "expected a value"),
        ('{"a": 012}', "expected `,`"),
        ('{"a": "x\ny"}', "control character"),
        ('{"a": "x', "Unterminated string"),
        ("[1] [2]", "expected the end of the file"),
        ("[", "expected a value"),
        ('{"a": 1,\n "a": 2}', "f.json:2:2: duplicate key `a`; it stands on line 1 already"),
        ("[" * 60 + "]" * 60, "nested deeper than 40"),
        ("[" * 100_000, "nested deeper than 40"),
    ],
)
def test_what_is_no_json_says_where(text: str, says: str) -> None:
    assert says in said(text, "f.json")


def test_too_many_values_of_json_are_refused() -> None:
    assert "more than 200,000 values" in said("[" + "1," * 200_001 + "1]", "f.json")


def test_numbers_of_json_keep_their_text() -> None:
    text = '{"a": [24.10, 12345678901234567890123, 1e999, -0, 1E5, 0.10]}'
    found = [str(value) for value in read_json(text, "f").data["a"]]
    assert found == ["24.10", "12345678901234567890123", "1e999", "-0", "1E5", "0.10"]


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda values: st.one_of(st.lists(values, max_size=4), st.dictionaries(st.text(), values, max_size=4)),
    max_leaves=12,
)


@given(st.one_of(st.lists(JSON), st.dictionaries(st.text(), JSON)), st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_json_is_what_it_is(value: Any, ascii_only: bool, indent: Any) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    source = read_json(text, "f.json")
    assert source.data == value
    for path, (line, column) in source.positions.items():
        here: Any = value
        for part in path:
            here = here[part]
        rest = "\n".join(text.split("\n")[line - 1 :])[column - 1 :]
        assert json.JSONDecoder().raw_decode(rest)[0] == here


@given(st.text("ab:{}[]\"',\\ \n\t#&*!%0.", max_size=30))
def test_any_text_is_read_or_refused_as_json(text: str) -> None:
    """As JSON exactly where Python's own reader takes it, but for its extensions, doubles and depth."""
    try:
        expected = json.loads(text, parse_constant=lambda _: 1 / 0)
    except (ValueError, ZeroDivisionError):
        expected = None
    try:
        found = read_document(text, "f.json").data
    except InvalidInput as error:
        assert expected is None or "duplicate key" in str(error) or text.strip()[:1] not in "[{"  # noqa: PT017
    else:
        assert text.lstrip()[:1] not in {"[", "{"} or found == expected
