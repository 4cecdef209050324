"""A run as a page for a person who was not there: how it ended, what to type, where it went wrong, who decided what."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from runner.model import RUNNER, RunState
from runner.plain import one_line
from runner.report.causes import where_text
from runner.report.markdown import markdown
from runner.report.next_steps import next_steps
from runner.report.page import Page, Rows, Terms, Verbatim
from runner.report.text import counts_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.model import JsonObject
    from runner.report.all_servers import ServerResult
    from runner.report.fold import RunReport
    from runner.report.page import Part

MOST_BYTES = 1_000_000
"""Of the page as Markdown: GitHub takes summaries of a step of up to 1 MiB, and refuses longer ones as a whole."""

_MOST_LIMITS = 20
_MOST_SERVERS = 1000
_CLOCK = slice(0, 19)


def markdown_pieces(report: RunReport) -> Iterator[bytes]:
    """The page as Markdown, as one piece."""
    yield markdown(run_page(report), MOST_BYTES).encode()


def run_page(report: RunReport) -> Page:
    """All of it, what matters most first, so that what is cut off at the end is what may be missing."""
    head = report.head
    parts = [*_verdict(report), *_reasons(head), *_waves(head), *_limits(head), *_decisions(head)]
    return Page(title(head), [*parts, *_bad_servers(report.servers())])


def title(head: JsonObject) -> str:
    """What run it is, and how it ended."""
    run = head["run"]
    return f"{run['campaign']}: {run['state']}" + (", simulated" if run["simulated"] else "")


def verdict_pairs(head: JsonObject) -> Iterator[tuple[str, str]]:
    """How it ended, or stands, word by word."""
    run = head["run"]
    yield "run", run["id"]
    yield "state", run["state"] + (f": {one_line(run['reason'])}" if run["reason"] else "")
    if run["exit_code"] is not None:
        yield "exit code", str(run["exit_code"])
    yield "servers", counts_text(head)
    times = [clock(run[at]) for at in ("started_at", "finished_at") if run[at]]
    took = f", {run['duration_s']:,.0f} s" if run["duration_s"] is not None else ""
    yield "time", " to ".join(times) + took
    if head["throttling"]["throttled_answers"]:
        yield "throttled", f"{head['throttling']['throttled_answers']:,} times"
    yield "plan", run["plan_hash"]


def clock(at: str) -> str:
    """A time of a report, for a person."""
    return at[_CLOCK].replace("T", " ") + " UTC"


def next_commands(report: RunReport) -> list[str]:
    """What to type next, a command a line, with what it is for as the shell's remark."""
    run = report.head["run"]
    steps = next_steps(report.facts, run["id"], RunState(run["state"]), report.head["counts"])
    return [step.line for step in steps]


def _verdict(report: RunReport) -> Iterator[Part]:
    yield Terms("", list(verdict_pairs(report.head)))
    commands = next_commands(report)
    if commands:
        yield Verbatim("Next", "\n".join(commands))


def reason_rows(head: JsonObject) -> list[tuple[str, str, str, str]]:
    """How many servers, their outcome, what was said, and where."""
    troubles = (head["causes"] or {"troubles": []})["troubles"]
    return [
        (
            f"{trouble['servers']:,}",
            trouble["outcome"].replace("_", " "),
            trouble["signature"],
            "; ".join(map(where_text, trouble["explained_by"])),
        )
        for trouble in troubles
    ]


def _reasons(head: JsonObject) -> Iterator[Part]:
    rows = reason_rows(head)
    if rows:
        yield Rows("Why", ("servers", "outcome", "reason", "where"), rows)


def wave_rows(head: JsonObject) -> list[tuple[str, str, str]]:
    """The waves with how they stand."""
    return [(wave["name"], wave["state"].replace("_", " "), counts_text(wave)) for wave in head["waves"]]


def _waves(head: JsonObject) -> Iterator[Part]:
    rows = wave_rows(head)
    if rows:
        yield Rows("Waves", ("wave", "state", "servers"), rows)


def limit_rows(head: JsonObject) -> list[tuple[str, str, str, str, str, str]]:
    """The limits, those of the campaign first, then those that were used most."""
    limits = (head["budget"] or {"limits": []})["limits"]
    by_use = sorted(limits, key=lambda one: (one["scope"] != "campaign", one["most"] - one["peak"], -one["peak"]))
    return [
        (one["name"], one["scope"], *(f"{one[key]:,}" for key in ("most", "of", "spent", "peak")))
        for one in islice(by_use, _MOST_LIMITS)
    ]


LIMIT_COLUMNS = ("limit", "of what", "most", "of servers", "spent", "peak")


def _limits(head: JsonObject) -> Iterator[Part]:
    rows = limit_rows(head)
    if rows:
        yield Rows("Limits", LIMIT_COLUMNS, rows)


DECISION_COLUMNS = ("at", "wave", "what", "evidence", "who", "why")


def decision_rows(head: JsonObject) -> list[tuple[str, ...]]:
    """What was decided, by whom and why."""
    return [
        (clock(one["at"]), one["wave"] or "", one["what"].replace("_", " "), one["evidence"], one["who"], one["why"])
        for one in head["decisions"]
    ]


def is_of_person(decision: JsonObject) -> bool:
    """Whether a person decided it."""
    return bool(decision["who"] != RUNNER)


def _decisions(head: JsonObject) -> Iterator[Part]:
    rows = decision_rows(head)
    if rows:
        yield Rows("Decisions", DECISION_COLUMNS, rows)


def _bad_servers(servers: Sequence[ServerResult]) -> Iterator[Part]:
    bad = [server for server in servers if server.is_bad]
    shown = [
        (server.name, server.id, server.outcome.replace("_", " "), server.wave or server.group, server.why)
        for server in bad[:_MOST_SERVERS]
    ]
    if shown:
        more = f", of {len(bad):,}" if len(bad) > len(shown) else ""
        yield Rows(f"Abnormal servers: {len(shown):,}{more}", ("server", "id", "outcome", "wave", "reason"), shown)
