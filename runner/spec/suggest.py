"""The nearest known word to one that is not known."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN = 12


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like `word`, None when none is like it."""
    return next(iter(get_close_matches(word, list(known), n=1, cutoff=0.6)), None)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Advice for a person: the nearest known word, otherwise all of them if they are few."""
    names = sorted(known)
    match = nearest(word, names)
    if match:
        return f"did you mean `{match}`?"
    if not names:
        return ""
    shown = ", ".join(names[:_SHOWN])
    return f"known here: {shown}" + (", ..." if len(names) > _SHOWN else "")
