"""Arguments that are no text: a command line is bytes, and what is planned, kept and sent is UTF-8."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import InvalidInput, Problem
from runner.plain import is_text, plain

if TYPE_CHECKING:
    from collections.abc import Sequence


def refuse_undecodable(arguments: Sequence[str]) -> None:
    """Look whether all are UTF-8.

    Raises:
        InvalidInput: some are not; names each with its place.
    """
    problems = [
        Problem(f"{plain(text)!r} is not UTF-8", "command line", path=_place(arguments, index))
        for index, text in enumerate(arguments)
        if not is_text(text)
    ]
    if problems:
        raise InvalidInput(*problems)


def _place(arguments: Sequence[str], index: int) -> str:
    before = arguments[index - 1] if index else ""
    return before if before.startswith("-") else f"argument {index + 1}"
