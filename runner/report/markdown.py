"""A page as Markdown, for a merge request or a chat (GitHub Flavored Markdown 0.29, sections 4.10, 4.5 and 2.4)."""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, assert_never

from runner.plain import one_line, plain
from runner.report.page import Page, Part, Rows, Terms, Verbatim

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_BYTES = 64_000
"""What a description of a merge request holds with certainty: GitHub's of 65,536 characters is the smallest."""

# What means something in the middle of a line, also to the sites that show it: marks, references, addresses, emoji.
_MARKS = re.compile(r"([\\`*_{}\[\]<>#!|~@&$^]|:(?=//|[\w+-]+:)|(?<=www)\.)")
_TICKS = re.compile(r"`{3,}")
# Title, blank, and the two lines of a table before its first row.
_FRAME = 4
_CUT = "\n\n*The rest was left out: it is longer than fits here.*\n"


def markdown(page: Page, most_bytes: int = MOST_BYTES) -> str:
    """The page; parts that would make it longer than `most_bytes` are cut between lines, and it says so."""
    text = "\n\n".join([f"## {escaped(page.title)}", *(_part(part) for part in page.parts)]) + "\n"
    return text if len(text.encode()) <= most_bytes else _shortened(page, most_bytes)


def escaped(text: str) -> str:
    """Text of anybody as one line that is nothing but text: no link, no mark, no name that is told of it."""
    return _MARKS.sub(r"\\\1", one_line(text))


def _part(part: Part) -> str:
    return "\n".join(_lines(part))


def _lines(part: Part) -> Iterator[str]:
    if part.title:
        yield f"### {escaped(part.title)}"
        yield ""
    match part:
        case Terms(_, pairs):
            yield from _table(("", ""), [(word, text) for word, text in pairs])
        case Rows(_, header, rows):
            yield from _table(header, rows)
        case Verbatim(_, text):
            fence = "`" * max([3, *(len(ticks) + 1 for ticks in _TICKS.findall(text))])
            yield from (fence, *plain(text).splitlines(), fence)
        case _:
            assert_never(part)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(map(escaped, header))} |"
    yield f"|{' --- |' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(map(escaped, row))} |"


def _shortened(page: Page, most_bytes: int) -> str:
    """As many whole lines as fit; a part of which next to nothing fits is left out."""
    kept = [f"## {escaped(page.title)}"]
    room = most_bytes - len(_CUT.encode()) - len(kept[0].encode())
    for part in page.parts:
        lines = [*_lines(part)]
        closing = lines[-1:] if isinstance(part, Verbatim) else []
        room -= len("\n\n") + sum(len(line.encode()) + 1 for line in closing)
        fitting = [*accumulate(len(line.encode()) + 1 for line in lines)]
        count = bisect_right(fitting, room)
        if count == len(lines):
            kept.append("\n".join(lines))
            room -= fitting[-1]
            continue
        if count > _FRAME:
            kept.append("\n".join([*lines[:count], *closing]))
        break
    return "\n\n".join(kept) + _CUT
