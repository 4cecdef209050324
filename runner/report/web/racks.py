"""Racks as a grid: a cell for each, with its name and the number of abnormal servers in it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from runner.report.web.markup import Markup, element, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runner.report.all_servers import ServerResult

_PREFERRED = ("rack",)
_MOST_CELLS = 2000
_MANY = 3
"""From so many abnormal servers on a cell has the strongest mark."""
_DIGITS = re.compile(r"(\d+)")


class Rack(NamedTuple):
    """The servers with one value of a label."""

    name: str
    servers: int
    tried: int
    bad: int


def grid_label(plan_labels: Mapping[str, int], servers: int) -> str | None:
    """The label to make a grid by: `rack`, or the one with the most values that still puts several servers together.

    `plan_labels` are the labels and how many values each has.
    """
    for name in _PREFERRED:
        if plan_labels.get(name, 0) > 1:
            return name
    shared = {name: values for name, values in plan_labels.items() if 1 < values <= servers / 2}
    return max(shared, key=lambda name: (shared[name], name), default=None)


def racks_by(label: str, servers: Iterable[ServerResult]) -> list[Rack]:
    """In the order of their names, numbers in them by their value."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for server in servers:
        rack = server.labels.get(label)
        if rack is not None:
            counts[rack][("bad" if server.is_bad else "tried" if is_tried(server) else "left")] += 1
    found = [Rack(name, of.total(), of["bad"] + of["tried"], of["bad"]) for name, of in counts.items()]
    return sorted(found, key=lambda rack: _natural(rack.name))


def is_tried(server: ServerResult) -> bool:
    """Whether it is known how it came out."""
    return not server.at_work and server.outcome not in {"not_started", "excluded"}


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part) if part.isdecimal() and part.isascii() else -1, part) for part in _DIGITS.split(name)]


def rack_grid(label: str, racks: Sequence[Rack]) -> Markup:
    """A list of cells. Of more than 2,000 racks, those with abnormal servers."""
    shown = racks if len(racks) <= _MOST_CELLS else [rack for rack in racks if rack.bad][:_MOST_CELLS]
    bad = sum(rack.bad > 0 for rack in racks)
    words = f"{bad:,} of {len(racks):,} have abnormal servers; the number in a cell is how many."
    if len(shown) < len(racks):
        words += f" Shown are {len(shown):,} of them." if bad > len(shown) else " Only these are shown."
    cells = element("ul", *map(_cell, shown), class_="racks", aria_label=f"Abnormal servers by {label}")
    return Markup(element("p", text(words)) + cells)


def _cell(rack: Rack) -> Markup:
    grade = "none" if not rack.tried else f"bad{min(rack.bad, _MANY)}"
    about = f"{rack.name}: {rack.bad} abnormal of {rack.tried} tried, {rack.servers} servers"
    number = element("b", text(str(rack.bad) if rack.tried else "\u2013"))
    return element("li", number, element("span", text(rack.name)), class_=grade, title=about)
