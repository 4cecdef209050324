"""The report as HTML: one file that asks nothing of anywhere, for a browser, for paper, and for a reader of screens.

Its policy names its script and its style by their hashes, and lets nothing else be carried out, fetched or made markup.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING

from runner.report.run_page import title
from runner.report.web.markup import Markup, element, text
from runner.report.web.sections import sections
from runner.report.web.server_data import packed
from runner.report.web.servers_table import grouping_label, servers_section

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.report.fold import RunReport


def web_pieces(report: RunReport) -> Iterator[bytes]:
    """The page, piece by piece, in UTF-8."""
    style, script = (files(__package__).joinpath(name).read_text("utf-8") for name in ("page.css", "page.js"))
    servers = report.servers()
    name = f"{title(report.head)} ({report.head['run']['id']})"
    yield "\n".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
            element("title", text(name)),
            element("style", Markup(style)),
            "</head><body>",
            element("a", text("To the servers"), href="#servers", class_="skip"),
            f"<main><h1>{text(name)}</h1>",
            *sections(report, servers),
            servers_section(servers),
        ]
    ).encode()
    data = packed(sorted(servers, key=lambda server: not server.is_bad), grouping_label(servers))
    yield f'<script type="application/octet-stream" id="data">{data}</script>\n'.encode()
    yield f"</main>{_footer(report)}<script>{script}</script></body></html>\n".encode()


def _footer(report: RunReport) -> Markup:
    run = report.head["run"]
    made = (
        f"Made by runner from the journal of run {run['id']}, whose last entry is {run['journal_head'] or 'not known'}."
    )
    return element("footer", text(made))


def _policy(style: str, script: str) -> Markup:
    return Markup(
        "; ".join(
            [
                "default-src 'none'",
                f"style-src '{_hash(style)}'",
                f"script-src '{_hash(script)}'",
                "base-uri 'none'",
                "form-action 'none'",
                "require-trusted-types-for 'script'",
                "trusted-types 'none'",
            ]
        )
    )


def _hash(content: str) -> str:
    return f"sha256-{b64encode(sha256(content.encode()).digest()).decode()}"
