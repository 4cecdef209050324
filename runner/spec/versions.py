"""Which of two versions is newer: 24.1.rc3.10 than 24.1.rc3.9, 24.1.0 than 24.1.rc3, 24.1.0.spc1 than 24.1.0."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import NamedTuple

from runner.spec.texts import NotRendered

_PARTS = re.compile(r"[0-9]+|[a-z]+")
_ALLOWED = re.compile(r"v?[0-9]++(?:[-._+ ]?(?:[0-9]++|[a-z]++))*+")
_RELEASE = 0
# How far before a release, or after it, a word stands. Which of two others comes first is not known.
_WORDS = {"dev": -4, "alpha": -3, "beta": -2, "pre": -1, "preview": -1, "rc": -1}
_WORDS |= dict.fromkeys(("post", "patch", "sp", "spc", "sph", "hp", "cp"), 1)


class _Part(NamedTuple):
    rank: int
    word: str
    number: int


_NOTHING = _Part(_RELEASE, "", 0)


def compare_versions(one: str, other: str) -> int:
    """Less than 0 if `one` is older, 0 if they are the same, more than 0 if it is newer.

    Raises:
        NotRendered: one is no version, or it is not known which comes first.
    """
    (release, rest), (other_release, other_rest) = _parts(one), _parts(other)
    for mine, theirs in zip_longest(release, other_release, fillvalue=_NOTHING):
        if mine.number != theirs.number:
            return mine.number - theirs.number
    for mine, theirs in zip_longest(rest, other_rest, fillvalue=_NOTHING):
        if mine.word != theirs.word and not _known(mine, theirs):
            raise NotRendered(f"it is not known whether {one!r} or {other!r} is newer", "compare them by == or !=")
        if mine != theirs:
            return -1 if mine < theirs else 1
    return 0


def _known(one: _Part, other: _Part) -> bool:
    return all(part.word in {"", *_WORDS} for part in (one, other)) and one.rank != other.rank


def _parts(version: str) -> tuple[list[_Part], list[_Part]]:
    """The numbers of the release, and what follows from the first word on."""
    text = version.strip().lower()
    if _ALLOWED.fullmatch(text) is None:
        raise NotRendered(f"{version!r} is no version", "expected one such as 24.1.rc3.10")
    found = [
        _Part(_RELEASE, "", int(part)) if part.isdigit() else _Part(_WORDS.get(part, _RELEASE), part, 0)
        for part in _PARTS.findall(text.removeprefix("v"))
    ]
    first_word = next((place for place, part in enumerate(found) if part.word), len(found))
    return found[:first_word], found[first_word:]
