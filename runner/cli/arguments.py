"""Arguments that are no text: a command line is bytes, and what is planned, kept and sent is UTF-8."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from runner.errors import InvalidInput, Problem
from runner.plain import is_text, plain

if TYPE_CHECKING:
    from collections.abc import Sequence


def refuse_undecodable(arguments: Sequence[str]) -> None:
    """Look whether all are text.

    Raises:
        InvalidInput: some are none; names each with its place.
    """
    problems = [
        Problem(why_no_text(text), "command line", path=_place(arguments, index))
        for index, text in enumerate(arguments)
        if not is_text(text)
    ]
    if problems:
        raise InvalidInput(*problems)


def _place(arguments: Sequence[str], index: int) -> str:
    before = arguments[index - 1] if index else ""
    return before if before.startswith("-") else f"argument {index + 1}"


def why_no_text(value: str) -> str:
    """What is wrong with an argument or a variable that is no text: its bytes, or the locale in which they were read."""
    try:
        text = os.fsencode(value).decode()
    except UnicodeDecodeError:
        return f"{plain(value)!r} is not UTF-8"
    return f"{text!r} cannot be read in a locale of {sys.getfilesystemencoding()}: set LC_ALL=C.UTF-8, unset PYTHONUTF8"
