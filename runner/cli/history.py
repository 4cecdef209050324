"""`runner report`, `runner list` and `runner show`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from runner.app import history
from runner.cli import output
from runner.cli.options import format_option, state_options


@click.command("report")
@click.argument("run", metavar="RUN")
@click.option("--report", "path", type=click.Path(path_type=Path), help="Where to write it; - is standard output.")
@state_options
def report_command(run: str, path: Path | None, state_dir: Path) -> None:
    """Write the report of a run again, from its journal."""
    stored = history.read_run(state_dir, run)
    if path == Path("-"):
        sys.stdout.buffer.write(stored.report_bytes())
        return
    click.echo(f"report: {stored.write_report(path)}")


@click.command("list")
@format_option
@state_options
def list_command(state_dir: Path, **options: str) -> None:
    """List the runs there are, newest first."""
    rows = history.list_runs(state_dir)
    if options["output"] == "json":
        output.print_json(rows)
    elif rows:
        click.echo(output.table(("run", "campaign", "state", "started", "servers", "succeeded"), map(_list_row, rows)))
    else:
        click.echo(f"no runs in {state_dir}")


@click.command("show")
@click.argument("run", metavar="RUN")
@format_option
@state_options
def show_command(run: str, state_dir: Path, **options: str) -> None:
    """Show one run in detail. RUN is its id, the start of it, or `last`."""
    stored = history.read_run(state_dir, run)
    if options["output"] == "json":
        output.print_json([stored.row])
    else:
        click.echo(stored.summary())


def _list_row(row: history.RunObject) -> tuple[object, ...]:
    counts = row["counts"] or {}
    return (
        row["id"],
        row["campaign"],
        row["state"],
        row["started_at"],
        counts.get("servers", ""),
        counts.get("succeeded", ""),
    )
