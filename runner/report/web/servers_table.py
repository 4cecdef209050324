"""The part of the page that lists servers: what its script fills, and what is there without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.report.all_servers import label_names
from runner.report.web.markup import Markup, element, joined, text
from runner.report.web.racks import grid_label
from runner.report.web.tables import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.report.all_servers import ServerResult

_MOST_PLAIN = 100
_COLUMNS = ("server", "id", "outcome", "wave", "reason")
_HELP = "Words are looked for in all columns; rack=r026 is the whole value of one."


def grouping_label(servers: Sequence[ServerResult]) -> str | None:
    """The label that puts servers together in the grid, and comes first among the columns."""
    values: dict[str, set[str]] = {name: set() for name in label_names(servers)}
    for labels in {id(server.labels): server.labels for server in servers}.values():
        for name, value in labels.items():
            values[name].add(value)
    return grid_label({name: len(found) for name, found in values.items()}, len(servers))


def servers_section(servers: Sequence[ServerResult]) -> Markup:
    """Where servers are filtered and sorted; without a script the first abnormal ones."""
    bad = [server for server in servers if server.is_bad][:_MOST_PLAIN]
    rows = [(one.name, one.id, one.outcome.replace("_", " "), one.wave or one.group, one.why) for one in bad]
    told = f"Without JavaScript only the first {len(rows):,} abnormal ones are here."
    return element(
        "section",
        element("h2", text("Servers")),
        _tools(),
        element("p", id="count", role="status"),
        element("noscript", element("p", text(told))),
        element(
            "div",
            table(_COLUMNS, rows),
            id="servers",
            class_="plain",
            tabindex="0",
            role="region",
            aria_label="Servers",
        ),
    )


def _tools() -> Markup:
    find = element(
        "input", id="filter", type="search", aria_describedby="filter-help", autocomplete="off", spellcheck="false"
    )
    only = element("select", element("option", text("all"), value=""), id="outcome")
    return Markup(
        '<div class="tools" id="tools" hidden>'
        + joined(
            element("div", element("label", text("Filter"), for_="filter"), find),
            element("div", element("label", text("Outcome"), for_="outcome"), only),
            element("p", text(_HELP), id="filter-help"),
        )
        + "</div>"
    )
