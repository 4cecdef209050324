"""Text of others does nothing on a screen but to stand there."""

from __future__ import annotations

import json
import sys
import unicodedata

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.plain import one_line, plain, plain_json

ACTING = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_no_character_that_acts_is_forgotten() -> None:
    every = {chr(code) for code in range(sys.maxunicode + 1)} - {"\n", "\t"}
    acting = {char for char in every if unicodedata.category(char) in ACTING}
    assert {char for char in acting if plain(char) == char} == set()
    # A few that have no meaning yet stand among the tags.
    changed = {char for char in every - acting if plain(char) != char}
    assert {unicodedata.category(char) for char in changed} <= {"Cn"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("well", "well"),
        ("驱动 ü", "驱动 ü"),
        ("\x1b]52;c;cm0=\x07", "\\x1b]52;c;cm0=\\x07"),
        ("a\u202eb", "a\\u202eb"),
        ("\x9b31m", "\\x9b31m"),
        ("a\nb\tc", "a\nb\tc"),
        ("over\rwritten", "over\\rwritten"),
    ],
)
def test_what_would_act_is_written_as_an_escape(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(st.text(), st.integers(10, 40))
def test_a_line_is_one_and_no_longer(text: str, longest: int) -> None:
    line = one_line(text, longest)
    assert len(line) <= longest
    assert len(line.splitlines()) <= 1
    assert plain(line) == line


def test_what_is_left_out_of_a_line_shows() -> None:
    assert one_line("a" * 20, 10) == "aaaaaaa..."
    assert one_line("first\r\n  second", 99) == "first second"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_keeps_text_whole(text: str) -> None:
    document = plain_json(orjson.dumps({"said": text}))
    assert json.loads(document) == {"said": text}
    assert plain(document.decode()) == document.decode()
