"""Lines are measured as terminals measure them, and never wider than they may be."""

from __future__ import annotations

import pytest
import wcwidth
from hypothesis import given
from hypothesis import strategies as st

from runner.plain import one_line
from runner.screen.cells import (
    Tone,
    Toned,
    cut,
    fitted,
    line,
    line_width,
    padded,
    side_by_side,
    text_of,
    whole,
    width_of,
    wrapped,
)
from runner.screen.charset import Charset

texts = st.text(max_size=60)
widths = st.integers(0, 40)


@given(texts)
def test_no_terminal_needs_more_cells_than_are_counted(text: str) -> None:
    shown = one_line(text)
    assert width_of(shown) >= wcwidth.wcswidth(shown)


@pytest.mark.parametrize(
    ("text", "cells"), [("rack", 4), ("机架", 4), ("ü", 1), ("u\u0308", 1), ("█▶✔", 3), ("❤\ufe0f", 2), ("", 0)]
)
def test_cells(text: str, cells: int) -> None:
    assert width_of(text) == cells


@given(texts, widths, st.sampled_from(["", "…", "~", "机"]))
def test_a_cut_text_has_room_and_begins_as_it_did(text: str, width: int, end: str) -> None:
    short = cut(text, width, end)
    assert width_of(short) <= width
    assert short == text or text.startswith(short.removesuffix(end))
    assert width_of(padded(text, width, end)) == width


@given(texts, st.integers(1, 30), st.integers(1, 5))
def test_a_wrapped_text_loses_nothing_but_blanks_and_its_end(text: str, width: int, rows: int) -> None:
    lines = wrapped(text, width, rows)
    assert 1 <= len(lines) <= rows
    assert all(width_of(one) <= width for one in lines)
    assert text.replace(" ", "").startswith("".join(lines).replace(" ", "")) or not text.isprintable()


def test_a_text_is_parted_at_blanks_where_there_are_some() -> None:
    assert wrapped("no room: max_unavailable 600/600, rack r1", 20, 3) == [
        "no room:",
        "max_unavailable",
        "600/600, rack r1",
    ]
    assert wrapped("x" * 50, 20, 2, "…") == ["x" * 20, "x" * 19 + "…"]


parts = st.lists(st.builds(Toned, texts, st.sampled_from(Tone)), max_size=5)


@given(parts, widths)
def test_lines_have_room(given_parts: list[Toned], width: int) -> None:
    of = line(*given_parts)
    assert line_width(fitted(of, width, "…")) <= width
    assert line_width(whole(width, *given_parts)) <= width
    assert text_of(of).startswith(text_of(whole(width, *given_parts)))
    (both,) = side_by_side([fitted(of, width)], [line("right")], width)
    assert text_of(both).endswith("right")
    assert line_width(both) == width + 5


def test_half_a_number_is_not_shown() -> None:
    assert text_of(whole(20, "12,345 of 100,000", "   4,711 bad")) == "12,345 of 100,000"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "gb18030"])
@given(said=st.text(max_size=600))
def test_a_terminal_is_sent_what_it_has(encoding: str, said: str) -> None:
    charset = Charset(encoding)
    shown = charset.text(said)
    shown.encode(encoding)
    assert all(width_of(sign) == 1 for sign in charset.signs)
    "".join(charset.signs).encode(encoding)
    assert "\x1b" not in shown
    assert len(shown.splitlines()) <= 1


def test_signs_are_ascii_where_there_are_no_others() -> None:
    assert Charset("ascii").signs.work == ">"
    assert Charset("utf-8").signs.work == "▶"
    assert Charset("ascii").text("驱动") == "\\u9a71\\u52a8"
