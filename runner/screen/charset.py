"""What a terminal can show: its encoding, and the signs that a picture uses."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

from runner.plain import LONGEST_LINE, one_line


class Signs(NamedTuple):
    """The signs of a picture, one cell each."""

    done: str
    work: str
    next: str
    bad: str
    full: str
    half: str
    empty: str
    cut: str


_RICH = Signs("✔", "▶", "·", "✘", "█", "▒", "░", "…")
_ASCII = Signs("+", ">", ".", "x", "#", "=", "-", "~")


class Charset:
    """The characters that an `encoding` has; it writes all others as escapes."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self._encoding = encoding

    @cached_property
    def signs(self) -> Signs:
        """Those that it has."""
        try:
            "".join(_RICH).encode(self._encoding)
        except UnicodeError:
            return _ASCII
        return _RICH

    def text(self, said: str, longest: int = LONGEST_LINE) -> str:
        """Text of others as a part of a line that does nothing but to stand there."""
        short = one_line(said, longest)
        if short.isascii():
            return short
        return short.encode(self._encoding, "backslashreplace").decode(self._encoding)
