"""Server names with ranges: `node-[001-050]`, `rack[1-3,7]-[01-02]`. Zero padding is kept."""

from __future__ import annotations

import re
from itertools import product

MOST_NAMES = 1_000_000
_PART = re.compile(r"\[([^\[\]]*)\]")
_SPAN = re.compile(r"([0-9]{1,64})(?:-([0-9]{1,64}))?")


class RangeError(ValueError):
    """The text is no valid range; the message says why."""


def expand_ranges(text: str) -> list[str]:
    """Every name that the text stands for, in order; a text without brackets stands for itself.

    Raises:
        RangeError: unbalanced brackets, an empty or reversed range, or more than `MOST_NAMES` names.
    """
    pieces = _PART.split(text)
    if any("[" in piece or "]" in piece for piece in pieces):
        raise RangeError(f"{text!r}: brackets do not match; expected a range such as node-[001-050]")
    choices: list[list[str]] = []
    size = 1
    for index, piece in enumerate(pieces):
        choices.append(_values(piece, text) if index % 2 else [piece])
        size *= len(choices[-1])
        if size > MOST_NAMES:
            raise RangeError(f"{text!r}: {size:,} names or more, at most {MOST_NAMES:,} are allowed")
    return ["".join(parts) for parts in product(*choices)]


def _values(inside: str, text: str) -> list[str]:
    values: list[str] = []
    for part in inside.split(","):
        match = _SPAN.fullmatch(part.strip())
        if match is None:
            raise RangeError(f"{text!r}: [{inside}] is no range; expected one such as [001-050] or [1-3,7]")
        first, last = match[1], match[2] or match[1]
        if int(last) < int(first):
            raise RangeError(f"{text!r}: [{part.strip()}] runs backwards")
        if len(values) + int(last) - int(first) >= MOST_NAMES:
            raise RangeError(f"{text!r}: [{inside}] has more than {MOST_NAMES:,} names")
        values += [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]
    return values
