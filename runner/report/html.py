"""A page as HTML: one file that needs nothing else, for a browser, for paper, and for a reader of screens."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, assert_never

from runner.plain import one_line, plain
from runner.report.page import Page, Part, Rows, Terms, Verbatim

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_STYLE = """\
:root { color-scheme: light dark; --line: #8886; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; }
th, td { border-bottom: 1px solid var(--line); padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
pre { border: 1px solid var(--line); overflow-x: auto; padding: .6rem; }
@media print { body { margin: 0; max-width: none; } pre { white-space: pre-wrap; } }
"""


def html(page: Page) -> str:
    """The page, from `<!doctype html>` on."""
    title = _text(page.title)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
            # Nothing in it is asked of anywhere, and nothing in it is carried out.
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            f"<title>{title}</title><style>{_STYLE}</style></head>",
            f"<body><main><h1>{title}</h1>",
            *(line for part in page.parts for line in _part(part)),
            "</main></body></html>\n",
        ]
    )


def _text(text: str) -> str:
    return escape(one_line(text))


def _part(part: Part) -> Iterator[str]:
    yield "<section>"
    if part.title:
        yield f"<h2>{_text(part.title)}</h2>"
    match part:
        case Terms(_, pairs):
            yield "<table>"
            yield from (f'<tr><th scope="row">{_text(word)}</th><td>{_text(text)}</td></tr>' for word, text in pairs)
            yield "</table>"
        case Rows(_, header, rows):
            yield from _table(header, rows)
        case Verbatim(_, text):
            yield f"<pre>{escape(plain(text))}</pre>"
        case _:
            assert_never(part)
    yield "</section>"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    marks = [
        ' class="number"' if all(row[column].replace(",", "").isdigit() for row in rows) else ""
        for column in range(len(header))
    ]
    heads = (f'<th scope="col"{mark}>{_text(cell)}</th>' for mark, cell in zip(marks, header, strict=True))
    yield f"<table><thead><tr>{''.join(heads)}</tr></thead><tbody>"
    for row in rows:
        cells = (f"<td{mark}>{_text(cell)}</td>" for mark, cell in zip(marks, row, strict=True))
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table>"
