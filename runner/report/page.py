"""A text of parts for a person, in whatever form it is shown: lines of a terminal, Markdown, HTML.

The texts in it may be anybody's; each form makes them harmless in its own way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Terms(NamedTuple):
    """What is called what: pairs of a word and what there is to say of it."""

    title: str
    pairs: Sequence[tuple[str, str]]


class Rows(NamedTuple):
    """A table."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


class Verbatim(NamedTuple):
    """Text that is to be read, or copied, as it stands."""

    title: str
    text: str


Part = Terms | Rows | Verbatim


class Page(NamedTuple):
    """All of it, under one title."""

    title: str
    parts: Sequence[Part]
