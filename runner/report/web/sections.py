"""The parts of the page, what matters most first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.model import Outcome
from runner.report.run_page import (
    DECISION_COLUMNS,
    LIMIT_COLUMNS,
    decision_rows,
    limit_rows,
    next_commands,
    reason_rows,
    verdict_pairs,
    wave_rows,
)
from runner.report.web.evidence_curve import evidence_curve, sentence
from runner.report.web.markup import Markup, element, text
from runner.report.web.over_time import AT_WORK, limits_over_time, outcomes_over_time, span, waves_over_time
from runner.report.web.racks import rack_grid, racks_by
from runner.report.web.servers_table import grouping_label
from runner.report.web.tables import scrolled, table, terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.model import JsonObject
    from runner.report.all_servers import ServerResult
    from runner.report.fold import RunReport

_WAVE_COLUMNS = ("wave", "state", "servers")
_NONE_BAD = frozenset({"finished", "submitted", "running"})


def sections(report: RunReport, servers: Sequence[ServerResult]) -> Iterator[Markup]:
    """All but the list of servers."""
    head = report.head
    yield _verdict(report)
    yield from _over_time(report)
    yield from _why(head)
    yield from _racks(servers)
    yield from _evidence(head)
    yield from _limits(report)
    rows = [(str(place), *row) for place, row in enumerate(decision_rows(head), 1)]
    if rows:
        yield _section("Decisions", scrolled("Decisions", table(("number", *DECISION_COLUMNS), rows)))


def _section(name: str, *inner: Markup) -> Markup:
    return element("section", element("h2", text(name)), *inner)


def _verdict(report: RunReport) -> Markup:
    head, run = report.head, report.head["run"]
    bad = head["abnormal_count"] - head["at_work"]
    is_well = run["state"] in _NONE_BAD and not bad
    state = (
        f"{run['state'].upper()}{f', {bad:,} abnormal' if bad else ''}{': ' + run['reason'] if run['reason'] else ''}"
    )
    commands = "\n".join(next_commands(report))
    typed = [element("h2", text("Next")), element("pre", _lines(commands), tabindex="0")] if commands else []
    mark = "verdict good" if is_well else "verdict bad"
    return element(
        "section",
        element("div", element("p", text(state), class_="state"), _counts(head), class_=mark),
        *typed,
        scrolled("The run", terms([pair for pair in verdict_pairs(head) if pair[0] not in {"state", "servers"}])),
    )


def _lines(lines: str) -> Markup:
    return Markup("\n".join(text(line) for line in lines.splitlines()))


def _counts(head: JsonObject) -> Markup:
    """How many servers of each outcome: those of the picture, with its colours."""
    shown = [(name, count) for name, count in _counted(head).items() if count]
    cells = [
        element("li", element("b", text(f"{count:,}")), text(name.replace("_", " ")), class_=name)
        for name, count in shown
    ]
    return element("ul", *cells, class_="outcomes", aria_label="Servers by outcome")


def _counted(head: JsonObject) -> dict[str, int]:
    counts = {outcome.value: head["counts"][outcome] for outcome in Outcome}
    return {**counts, "unknown": counts["unknown"] - head["at_work"], AT_WORK: head["at_work"]}


def _over_time(report: RunReport) -> Iterator[Markup]:
    head, time = report.head, span(report.course)
    if time is not None:
        yield _section("Servers over time", outcomes_over_time(head, report.course, time), _legend(head))
    rows = wave_rows(head)
    if rows:
        drawn = [] if time is None else [waves_over_time(head, time)]
        yield _section("Waves", *drawn, scrolled("Waves in words", table(_WAVE_COLUMNS, rows)))


def _legend(head: JsonObject) -> Markup:
    names = [name for name, count in _counted(head).items() if count and name != Outcome.NOT_STARTED]
    keys = [Markup(_key(name) + text(name.replace("_", " "))) for name in dict.fromkeys([*names, AT_WORK])]
    marks = (
        "A circle is what a person did, a square what stopped the run, a full line the start of a wave. Times are UTC."
    )
    return element("p", text(marks if head["decisions"] else "Times are UTC."), *keys)


def _key(name: str) -> Markup:
    square = element("rect", width="10", height="10", class_=name)
    return element("svg", square, class_="key", viewBox="0 0 10 10", aria_hidden="true")


def _why(head: JsonObject) -> Iterator[Markup]:
    rows = reason_rows(head)
    if rows:
        yield _section("Why", scrolled("Why", table(("servers", "outcome", "reason", "where"), rows)))


def _racks(servers: Sequence[ServerResult]) -> Iterator[Markup]:
    label = grouping_label(servers)
    racks = racks_by(label, servers) if label is not None else []
    if label is not None and racks:
        yield _section(f"By {label}", rack_grid(label, racks))


def _evidence(head: JsonObject) -> Iterator[Markup]:
    evidence = head["evidence"]
    if evidence is not None:
        said = element("p", text(sentence(evidence)))
        yield _section("Evidence against the change", said, evidence_curve(evidence))


def _limits(report: RunReport) -> Iterator[Markup]:
    rows, time = limit_rows(report.head), span(report.course)
    if rows:
        drawn = [] if time is None or not report.course.limits else [limits_over_time(report.course, time)]
        yield _section("Limits", *drawn, scrolled("Limits in words", table(LIMIT_COLUMNS, rows)))
