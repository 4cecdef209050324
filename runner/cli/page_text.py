"""A page on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from runner.cli.streams import fitting_json
from runner.cli.table import table
from runner.plain import one_line
from runner.report.page import Page, Part, Rows, Terms, Verbatim

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEAST_WIDTH = 10


def page_text(page: Page) -> str:
    """Its parts, a blank line between them; the title is said by its first one."""
    return "\n\n".join(map(_part, page.parts))


def _part(part: Part) -> str:
    title = f"{one_line(part.title)}:\n" if part.title else ""
    match part:
        case Terms(_, pairs):
            return title + _terms(pairs)
        case Rows(_, header, rows):
            return title + table(header, rows)
        case Verbatim(_, text):
            return title + fitting_json(text)
        case _:
            assert_never(part)


def _terms(pairs: Sequence[tuple[str, str]]) -> str:
    words = [one_line(word) for word, _ in pairs]
    width = max(_LEAST_WIDTH, *map(len, words), 0)
    return "\n".join(f"{word:<{width}} {one_line(text)}" for word, (_, text) in zip(words, pairs, strict=True))
