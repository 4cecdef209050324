"""Arguments and settings that are no text: they are bytes to the system, and what is planned, kept and sent is UTF-8."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import InvalidInput, Problem
from runner.plain import is_text, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def refuse_undecodable(arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    """Look whether all are UTF-8; of the environment what is for this program alone. All else is looked at where it is used.

    Raises:
        InvalidInput: some are not; names each with its place and the option before it.
    """
    problems = [
        Problem(f"{plain(text)!r} is not UTF-8", "command line", path=_place(arguments, index))
        for index, text in enumerate(arguments)
        if not is_text(text)
    ]
    problems += [
        Problem(f"{plain(text)!r} is not UTF-8", "environment", path=name)
        for name, text in environ.items()
        if name.startswith("RUNNER_") and not is_text(text)
    ]
    if problems:
        raise InvalidInput(*problems)


def _place(arguments: Sequence[str], index: int) -> str:
    before = arguments[index - 1] if index else ""
    return before if before.startswith("-") else f"argument {index + 1}"
