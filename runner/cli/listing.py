"""`runner list`: the runs there are, and what each waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runner.cli import streams
from runner.cli.json_text import print_json
from runner.cli.options import format_option, pass_host
from runner.cli.paths import state_options
from runner.cli.table import table
from runner.model import RunState
from runner.plain import one_line
from runner.spec.rules import MAX_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from runner.app.host import Host
    from runner.app.overview import RunAtAGlance, RunProgress
    from runner.journal.store import RunRow, RunStore

WIDTH = 80
_HEADER = ("run", "campaign", "state", "age", "good", "bad", "left", "exit")
_CAMPAIGN = _HEADER.index("campaign")
_SHORTEST, _WHOLE = len("campaign"), MAX_NAME
_AGES = ((86_400, "d"), (3_600, "h"), (60, "m"), (0, "s"))
_SHOWN = 2


@click.command("list")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the newest N.")
@click.option("--state", type=click.Choice([state.value for state in RunState]), help="Only runs in this state.")
@click.option("--campaign", metavar="NAME", help="Only runs of this campaign.")
@format_option
@state_options
@pass_host
def list_command(
    host: Host, limit: int | None, state: str | None, campaign: str | None, state_dir: Path, **options: str
) -> None:
    """List the runs there are, newest first.

    Good succeeded; bad failed, timed out, are unknown or were skipped; left are all others. Below a run stands what it waits
    for, and which run it is a retry of.
    """
    from runner.app import overview

    def unended(store: RunStore, row: RunRow) -> tuple[RunProgress, tuple[str, ...]]:
        from runner.app import unended as reading

        return reading.unended(host, store, row)

    wanted = None if state is None else RunState(state)
    found = list(overview.runs_at_a_glance(state_dir, unended, campaign=campaign, state=wanted, limit=limit))
    if options["output"] == "json":
        print_json([one.as_json() for one in found])
    elif found:
        streams.echo("\n".join(_lines(found, host.clock.wall())))
    else:
        streams.echo(f"no {'such ' if state or campaign else ''}runs in {state_dir}")


def _lines(found: Sequence[RunAtAGlance], now: float) -> Iterator[str]:
    """The table, at most 80 columns wide, and below each run what has no column."""
    header, *rows = _fitted([_cells(one, now) for one in found]).splitlines()
    yield header
    for one, row in zip(found, rows, strict=True):
        yield row
        yield from (_cut(f"  waits: {one_line(wait)}") for wait in one.waits[:_SHOWN])
        if len(one.waits) > _SHOWN:
            yield f"  and {len(one.waits) - _SHOWN} more waits: runner show {one.row.id}"
        yield from (f"  retry of {parent}" for parent in one.retry_of[:_SHOWN])
        if len(one.retry_of) > _SHOWN:
            yield f"  and of {len(one.retry_of) - _SHOWN} more"


def _cells(one: RunAtAGlance, now: float) -> list[str]:
    row, progress = one.row, one.progress
    counts = ("", "", "") if progress is None else tuple(f"{count:,}" for count in progress)
    code = "" if one.exit_code is None or row.state is RunState.RUNNING else str(one.exit_code)
    return [row.id, row.campaign, row.state.value, _age(now - row.started_at), *counts, code]


def _fitted(rows: list[list[str]]) -> str:
    """The rows as a table; if it is too wide, with smaller gaps, then names of campaigns cut, then without commas."""
    shown = table(_HEADER, rows)
    for comma, least in ((",", _WHOLE), (",", _SHORTEST), ("", _SHORTEST)):
        if _width(shown) <= WIDTH:
            break
        plain = [[cell.replace(",", comma) for cell in row] for row in rows]
        longest = max(len(row[_CAMPAIGN]) for row in plain)
        room = max(least, longest - max(0, _width(table(_HEADER, plain, gap=" ")) - WIDTH))
        cut = [[*row[:_CAMPAIGN], _cut(row[_CAMPAIGN], room), *row[_CAMPAIGN + 1 :]] for row in plain]
        shown = table(_HEADER, cut, gap=" ")
    return shown


def _width(text: str) -> int:
    return max(map(len, text.splitlines()))


def _cut(text: str, width: int = WIDTH) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def _age(seconds: float) -> str:
    """How long ago, in the largest unit; a run that a clock put into the future began just now."""
    whole = max(0, int(seconds))
    size, unit = next((size, unit) for size, unit in _AGES if whole >= size)
    return f"{whole // size if size else whole}{unit}"
