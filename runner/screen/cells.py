"""Lines of a screen: pieces of text with a tone each, measured in the cells of a terminal and cut to them."""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Tone(StrEnum):
    """What a piece of text is to the eye; a terminal has a colour for each, or none."""

    PLAIN = "plain"
    STRONG = "strong"
    DIM = "dim"
    GOOD = "good"
    BAD = "bad"
    CARE = "care"  # a person should look
    WORK = "work"


class Span(NamedTuple):
    """A piece of a line."""

    text: str
    tone: Tone = Tone.PLAIN


Line = tuple[Span, ...]
EMPTY: Line = ()

_NO_CELL = {"Mn", "Me", "Cf"}


def width_of(text: str) -> int:
    """How many cells a text takes: two for wide characters, none for marks on another (Unicode UAX 11)."""
    return len(text) if text.isascii() else sum(map(_cell, text))


@lru_cache(maxsize=4096)
def _cell(character: str) -> int:
    if unicodedata.category(character) in _NO_CELL:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def cut(text: str, width: int, end: str = "") -> str:
    """As much of a text as there are cells; of what is longer the last cell is `end`."""
    if width_of(text) <= width:
        return text
    left = width - width_of(end)
    if left < 0:
        return ""
    taken = 0
    for place, character in enumerate(text):
        taken += _cell(character)
        if taken > left:
            return text[:place] + end
    return text  # not reached: it is longer


def padded(text: str, width: int, end: str = "") -> str:
    """A text in exactly so many cells."""
    short = cut(text, width, end)
    return short + " " * (width - width_of(short))


def line(*parts: str | Span) -> Line:
    """A line of pieces, some of them plain."""
    return tuple(part if isinstance(part, Span) else Span(part) for part in parts if part)


def line_width(of: Line) -> int:
    """How many cells a line takes."""
    return sum(width_of(span.text) for span in of)


def fitted(of: Line, width: int, end: str = "") -> Line:
    """A line in no more cells than `width`."""
    if line_width(of) <= width:
        return of
    spans: list[Span] = []
    left = width - width_of(end)
    for span in of:
        short = cut(span.text, max(0, left))
        spans.append(span._replace(text=short))
        left -= width_of(short)
        if short != span.text:
            break
    return tuple(span for span in (*spans, Span(cut(end, width))) if span.text)


def side_by_side(left: Iterable[Line], right: Iterable[Line], width: int) -> list[Line]:
    """Two columns of as many lines; the left one takes `width` cells."""
    return [(*one, Span(" " * (width - line_width(one))), *other) for one, other in zip(left, right, strict=True)]


def text_of(of: Line) -> str:
    """What a line says."""
    return "".join(span.text for span in of)
