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


class Toned(NamedTuple):
    """A piece of a line."""

    text: str
    tone: Tone = Tone.PLAIN


Line = tuple[Toned, ...]
EMPTY: Line = ()

_NO_CELL = {"Mn", "Me", "Cf"}
# The character before it may be drawn twice as wide.
_AS_EMOJI = "\ufe0f"


def width_of(text: str) -> int:
    """How many cells a text takes: two for wide characters, none for marks on another (Unicode UAX 11)."""
    return len(text) if text.isascii() else sum(map(_cell, text))


@lru_cache(maxsize=4096)
def _cell(character: str) -> int:
    if unicodedata.category(character) in _NO_CELL:
        return int(character == _AS_EMOJI)
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


def whole(width: int, *parts: str | Toned) -> Line:
    """A line of those pieces, from the first on, that have room whole: half a number would be another one."""
    found: list[Toned] = []
    for part in line(*parts):
        width -= width_of(part.text)
        if width < 0:
            break
        found.append(part)
    return tuple(found)


def padded(text: str, width: int, end: str = "") -> str:
    """A text in exactly so many cells."""
    short = cut(text, width, end)
    return short + " " * (width - width_of(short))


def line(*parts: str | Toned) -> Line:
    """A line of pieces, some of them plain."""
    return tuple(part if isinstance(part, Toned) else Toned(part) for part in parts if part)


def line_width(of: Line) -> int:
    """How many cells a line takes."""
    return sum(width_of(piece.text) for piece in of)


def fitted(of: Line, width: int, end: str = "") -> Line:
    """A line in no more cells than `width`."""
    if line_width(of) <= width:
        return of
    pieces: list[Toned] = []
    left = width - width_of(end)
    for piece in of:
        short = cut(piece.text, max(0, left))
        pieces.append(piece._replace(text=short))
        left -= width_of(short)
        if short != piece.text:
            break
    return tuple(piece for piece in (*pieces, Toned(cut(end, width))) if piece.text)


def wrapped(text: str, width: int, rows: int, end: str = "") -> list[str]:
    """A text over so many rows at most, parted at blanks where there are some; of what is longer the last cell is `end`."""
    lines: list[str] = []
    rest = text
    while width_of(rest) > width and len(lines) < rows - 1:
        most = len(cut(rest, width))
        if not most:
            break  # not even one character has room
        blank = rest.rfind(" ", width // 3, most + 1)
        place = blank if blank > 0 else most
        lines.append(rest[:place])
        rest = rest[place:].lstrip()
    return [*lines, cut(rest, width, end)]


def side_by_side(left: Iterable[Line], right: Iterable[Line], width: int) -> list[Line]:
    """Two columns of as many lines; the left one takes `width` cells."""
    return [(*one, Toned(" " * (width - line_width(one))), *other) for one, other in zip(left, right, strict=True)]


def text_of(of: Line) -> str:
    """What a line says."""
    return "".join(piece.text for piece in of)
