"""Numbers that keep their text: `24.10` is a number to reckon with, and the text `24.10` where text is wanted.

Versions, serial numbers and short hashes look like numbers. What a person wrote is what is sent and compared.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from runner.model import Json

_BASES = {"0x": 16, "0o": 8, "0b": 2}
_BASED = re.compile(r"[-+]?0[xob][0-9a-fA-F_]+")
_WHOLE = re.compile(r"[-+]?[0-9_]+")
_INFINITE_OR_NONE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
# What JSON of the plan can hold, and no digits lost.
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
# Beyond, Python itself refuses: reading so many digits takes time.
_MOST_DIGITS = 4_000


class Written:
    """The text of a number. It is equal to that text, and to any number of its value that was not written itself.

    So `24.10` and `24.1` are two, `version == "24.10"` and `version == 24.1` hold, and keys of mappings, which are text,
    are found by it.
    """

    _text: str

    def __str__(self) -> str:
        return self._text

    __repr__ = __str__

    def __hash__(self) -> int:
        return hash(self._text)

    def __format__(self, how: str) -> str:
        return super().__format__(how) if how else self._text

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Written):
            return self._text == other._text
        return self._text == other if isinstance(other, str) else super().__eq__(other) is True

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return type(self), (self._text,)


class WrittenInt(Written, int):
    """A whole number, in any of YAML's or JSON's forms."""

    def __new__(cls, text: str) -> Self:
        """Raises ValueError if it is none."""
        made = super().__new__(cls, _whole(text))
        made._text = text
        return made


class WrittenFloat(Written, float):
    """Any other number."""

    def __new__(cls, text: str) -> Self:
        """Raises ValueError if it is none."""
        made = super().__new__(cls, _fraction(text))
        made._text = text
        return made


def written_number(text: str) -> WrittenInt | WrittenFloat:
    """The number that a text of YAML or JSON stands for.

    Raises:
        ValueError: none.
    """
    if len(text) < _MOST_DIGITS and (_WHOLE.fullmatch(text) or _BASED.fullmatch(text)):
        return WrittenInt(text)
    return WrittenFloat(text)


def plain_numbers(value: Json) -> Json:
    """The value for JSON: a number of its usual form as a number, any other as its text, at any depth."""
    if isinstance(value, Written):
        return _plain(value)
    if isinstance(value, dict):
        return {key: plain_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_numbers(item) for item in value]
    return value


def written_numbers(value: Json) -> Json:
    """A value of JSON with its numbers as they are written there, at any depth; what `plain_numbers` made text stays so."""
    if isinstance(value, bool | Written):
        return value
    if isinstance(value, int | float):
        return written_number(repr(value))
    if isinstance(value, dict):
        return {key: written_numbers(item) for key, item in value.items()}
    return [written_numbers(item) for item in value] if isinstance(value, list) else value


def _plain(value: Written) -> Json:
    text = str(value)
    if isinstance(value, int):
        number = int(value)
        return number if _SMALLEST <= number <= _LARGEST and str(number) == text else text
    usual = float(text) if isinstance(value, float) and text.replace(".", "", 1).lstrip("-").isdecimal() else None
    return usual if usual is not None and repr(usual) == text else text


def _whole(text: str) -> int:
    digits = text.replace("_", "").lower()
    sign = -1 if digits[:1] == "-" else 1
    digits = digits.lstrip("+-")
    base = _BASES.get(digits[:2])
    return sign * (int(digits, 10) if base is None else int(digits[2:], base))


def _fraction(text: str) -> float:
    if _INFINITE_OR_NONE.fullmatch(text):
        return float(text.replace(".", ""))
    return float(text.replace("_", ""))
