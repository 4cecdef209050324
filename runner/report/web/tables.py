"""Tables of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.report.web.markup import Markup, element, text

if TYPE_CHECKING:
    from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    """A table; columns of numbers are set to the right."""
    marks = [_mark([row[column] for row in rows]) for column in range(len(header))]
    heads = [element("th", text(name), scope="col", class_=mark) for mark, name in zip(marks, header, strict=True)]
    body = [
        element("tr", *(element("td", text(cell), class_=mark) for mark, cell in zip(marks, row, strict=True)))
        for row in rows
    ]
    return element("table", element("thead", element("tr", *heads)), element("tbody", *body))


def _mark(cells: Sequence[str]) -> str | None:
    """How a column is set: numbers to the right, times in one line."""
    if cells and all(cell.replace(",", "").isdigit() for cell in cells):
        return "number"
    return "time" if cells and all(cell.endswith(" UTC") for cell in cells) else None


def scrolled(name: str, inner: Markup) -> Markup:
    """What may be wider than the screen."""
    return element("div", inner, class_="scroll", tabindex="0", role="group", aria_label=name)


def terms(pairs: Sequence[tuple[str, str]]) -> Markup:
    """What is called what."""
    rows = [element("tr", element("th", text(word), scope="row"), element("td", text(said))) for word, said in pairs]
    return element("table", element("tbody", *rows), class_="terms")
