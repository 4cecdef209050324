"""`runner prune` and `runner export`: forgetting runs, and handing one to somebody."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from runner.app import exporting, pruning
from runner.cli import streams
from runner.cli.json_text import print_json
from runner.cli.options import Duration, OutputPath, format_option, pass_host
from runner.cli.paths import state_options
from runner.cli.run_names import run_argument
from runner.cli.table import table
from runner.files.writing import is_stdout, write
from runner.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.app.host import Host
    from runner.app.pruning import Pruning
    from runner.model import JsonObject

_MIB = 2**20


@click.command("prune")
@click.option(
    "--older-than", "older_than_s", type=Duration(), required=True, metavar="DURATION", help="Started so long ago: 90d."
)
@click.option("--keep", type=click.IntRange(min=0), default=0, metavar="N", help="Keep the newest N of each campaign.")
@click.option("--yes", is_flag=True, help="Do it: without, it is only shown.")
@format_option
@state_options
@pass_host
def prune_command(host: Host, older_than_s: float, keep: int, state_dir: Path, *, yes: bool, **options: str) -> None:
    """Forget old runs: their plans, journals and reports. Shows what would go; `--yes` does it.

    A run stays that is not over or holds servers, that has the newest slot of its campaign, or is of the family of a run
    that is not over. Slots of runs that go stay taken. Old reports and plans that have no run go, too.
    """
    found = (pruning.prune if yes else pruning.find_prunable)(state_dir, host.clock.wall(), older_than_s, keep)
    if options["output"] == "json":
        print_json([_prune_object(found, done=yes)])
    else:
        streams.echo("\n".join(_prune_lines(found, done=yes)))


def _prune_object(found: Pruning, *, done: bool) -> JsonObject:
    return {
        "done": done,
        "before": _time(found.before),
        "runs": [row.id for row in found.runs],
        "kept": {why.name.lower(): count for why, count in found.kept.items()},
        "reports": len(found.reports),
        "plans": len(found.plans),
        "freed_bytes": found.freed,
        "note": found.note,
    }


def _prune_lines(found: Pruning, *, done: bool) -> Iterator[str]:
    if found.runs:
        yield table(("campaign", "runs", "oldest", "newest"), _campaigns(found))
        yield ""
    verb = "gone" if done else "would go"
    rest = f"{len(found.reports):,} reports, {len(found.plans):,} plans without a run"
    yield f"{verb}: {len(found.runs):,} runs that started before {_time(found.before)}; {rest}"
    for why, count in found.kept.items():
        yield f"stays: {count:,} {why}"
    if done and found.freed is not None:
        yield f"freed: {found.freed / _MIB:,.1f} MiB{'; ' if found.note else ''}{found.note}"
    elif found.runs or found.reports or found.plans:
        yield "nothing was deleted: --yes does it"


def _campaigns(found: Pruning) -> list[tuple[object, ...]]:
    counts = Counter(row.campaign for row in found.runs)
    times = {name: [row.started_at for row in found.runs if row.campaign == name] for name in counts}
    return [(name, f"{count:,}", _time(min(times[name])), _time(max(times[name]))) for name, count in counts.items()]


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@click.command("export")
@run_argument
@click.argument("file", metavar="FILE.zip", type=OutputPath())
@state_options
def export_command(run: str, file: Path, state_dir: Path) -> None:
    """Write one run to a ZIP file, to hand to somebody: its plan, journal and report. FILE - is standard output."""
    data = exporting.export_run(state_dir, run)
    write(file, data)
    if not is_stdout(file):
        streams.echo(f"{one_line(str(file))}: {len(data):,} bytes")
