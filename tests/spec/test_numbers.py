"""A number keeps its text, and is a number where one is meant."""

from __future__ import annotations

import copy
import json
import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.spec.numbers import plain_numbers, written_number
from runner.spec.syntax import compiled_text

DIGITS = "12345678901234567890123"
FORMS = {
    "24.10": 24.1,
    "24.1": 24.1,
    "012": 12,
    "1_000": 1000,
    "1e3": 1000.0,
    "1E+3": 1000.0,
    "0x1F": 31,
    "-0x10": -16,
    "0o17": 15,
    "0b11": 3,
    "+5": 5,
    "-0": 0,
    ".5": 0.5,
    "1.": 1.0,
    "1_0.5_0": 10.5,
    DIGITS: int(DIGITS),
    "12e999": math.inf,
    "-.inf": -math.inf,
    "7": 7,
}


@pytest.mark.parametrize(("text", "value"), FORMS.items())
def test_what_is_written_is_its_text_and_its_value(text: str, value: float) -> None:
    number = written_number(text)
    assert str(number) == text
    assert f"v{number}" == f"v{text}"
    assert repr([number]) == f"[{text}]"
    assert number + 0 == value
    assert isinstance(number, type(value))


def test_two_that_were_written_otherwise_are_two() -> None:
    one, other = written_number("24.10"), written_number("24.1")
    assert one != other
    assert not one == other  # noqa: SIM201  both are asked, for both are overridden
    assert one == written_number("24.10")
    text, value = "24.10", 24.1
    assert (one == text, one != text, text == one, text != one, one == "24.1") == (True, False, True, False, False)
    assert (one == value, one != value, value == one, value != one, one == 24.2) == (True, False, True, False, False)
    assert {"24.10": "a", "24.1": "b"}[one] == "a"  # type: ignore[index]
    assert len({one, other}) == 2


def test_a_number_that_is_none_by_its_value_is_still_equal_to_its_text() -> None:
    number = written_number(".nan")
    assert number == ".nan"
    assert math.isnan(number)


def test_a_copy_is_the_same() -> None:
    number = written_number("012")
    assert (str(copy.deepcopy(number)), copy.deepcopy(number) + 0) == ("012", 12)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ v }}", "24.10"),
        ("{{ v }}-x", "24.10-x"),
        ("{{ v ~ '-x' }}", "24.10-x"),
        ("{{ v | replace('.', '-') }}", "24-10"),
        ("{{ [v, v] | join('/') }}", "24.10/24.10"),
        ("{{ v | upper }}", "24.10"),
        ("{{ 'yes' if v == '24.10' }}", "yes"),
        ("{{ 'yes' if v == 24.1 }}", "yes"),
        ("{{ 'yes' if v in ['24.10'] }}", "yes"),
        ("{{ 'yes' if v > 24 }}", "yes"),
        ("{{ n + 1 }}", "13"),
        ("{{ '%03d' % n }}", "012"),
        ("{{ '%s' % n }}", "012"),
        ("{{ n | int }}", "12"),
        ("{{ v | round(1) }}", "24.1"),
        ("{% for i in range(n) %}{{ i }}{% endfor %}", "01234567891011"),
        ("{{ images[v] }}", "a"),
        ("{{ images.get(n, 'none') }}", "b"),
        ("{{ {'a': [v, zero], 'n': n} | tojson }}", '{"a": ["24.10", 0], "n": "012"}'),
        ("{{ 'yes' if zero else 'no' }}", "no"),
    ],
)
def test_templates_see_the_text_and_reckon_with_the_value(source: str, text: str) -> None:
    names = {"v": written_number("24.10"), "n": written_number("012"), "zero": written_number("0")}
    assert compiled_text(source).render({**names, "images": {"24.10": "a", "012": "b"}}) == text


def test_a_plan_has_usual_numbers_as_numbers_and_others_as_text() -> None:
    texts = ["5", "-5", "24.1", "24.10", "012", "1e3", DIGITS, ".inf", "-0", "9" * 5000]
    value = {"a": [written_number(text) for text in texts]}
    found = json.loads(orjson.dumps(plain_numbers(value)))["a"]
    assert found == [5, -5, 24.1, "24.10", "012", "1e3", DIGITS, ".inf", "-0", "9" * 5000]


@given(st.one_of(st.integers(), st.floats(allow_nan=False)))
def test_a_number_as_python_writes_it_is_that_number(value: float) -> None:
    number = written_number(repr(value))
    assert (number == value, str(number)) == (True, repr(value))
    stored = plain_numbers(number)
    assert str(stored) == repr(value)
    assert orjson.loads(orjson.dumps(stored)) == stored
