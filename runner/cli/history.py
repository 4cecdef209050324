"""`runner report`, and what is asked of past runs: `verify`, `diff`, `locks`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runner.cli import streams
from runner.cli.json_text import print_json
from runner.cli.options import OutputPath, format_option, pass_host
from runner.cli.paths import state_options
from runner.cli.run_names import offered_runs, run_argument
from runner.cli.table import table
from runner.errors import ExitCode
from runner.files.places import STDOUT
from runner.files.writing import is_stdout, write
from runner.plain import one_line
from runner.report.format_names import ReportFormat

if TYPE_CHECKING:
    from pathlib import Path

    from runner.app.host import Host


@click.command("report")
@run_argument
@click.option(
    "-o",
    "--report",
    "--out",
    "path",
    type=OutputPath(),
    help="Where to write it (default: the state folder for json, else stdout); - is stdout.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(list(map(str, ReportFormat))),
    default=str(ReportFormat.JSON),
    show_default=True,
    help="Form of the report.",
)
@click.option("--lineage", is_flag=True, help="Fold all runs that were retried from one another into one, as JSON.")
@state_options
def report_command(run: str, path: Path | None, form: str, state_dir: Path, *, lineage: bool) -> None:
    """Write the report of a run again, from its journal."""
    from runner.app import families, history
    from runner.report.files import report_to_json

    wanted = ReportFormat(form)
    if lineage and wanted is not ReportFormat.JSON:
        raise click.UsageError("--lineage is JSON only: leave --format out")
    if lineage:
        write(path or STDOUT, report_to_json(families.lineage(state_dir, run)))
        return
    stored = history.read_run(state_dir, run)
    place = path or (stored.default_path if wanted is ReportFormat.JSON else STDOUT)
    write(place, stored.report_pieces(wanted), private=path is None)
    if not is_stdout(place):
        streams.echo(f"report: {one_line(str(place))}")


@click.command("verify")
@click.argument("run", metavar="RUN|REPORT.json", shell_complete=offered_runs)
@format_option
@state_options
def verify_command(run: str, state_dir: Path, **options: str) -> int:
    """Check that a run's journal and plan, and a report of it, are as they were written."""
    from runner.app import verifying

    verified = verifying.verify(state_dir, run)
    if options["output"] == "json":
        print_json([{"id": verified.run_id, "fine": verified.fine, "broken": verified.broken}])
    else:
        for line in verified.fine:
            streams.echo(line)
        for line in verified.broken:
            streams.echo(f"BROKEN: {line}")
    return ExitCode.ABNORMAL if verified.broken else ExitCode.OK


@click.command("locks")
@click.option("--release", metavar="RUN", help="Give the servers of this run free.")
@format_option
@state_options
@pass_host
def locks_command(host: Host, release: str | None, state_dir: Path, **options: str) -> None:
    """List the runs that hold servers, so that no other run may touch them; or give those of one free."""
    from runner.app import locks
    from runner.cli import output

    if release is not None:
        streams.echo(f"released: {locks.release_locks(host, state_dir, release, output.warning)}")
        return
    rows = locks.list_locks(state_dir)
    if options["output"] == "json":
        print_json(rows)
    elif rows:
        held = ((row["id"], row["state"], row["servers"], row["until"] or "the run's end") for row in rows)
        streams.echo(table(("run", "state", "servers", "held until"), held))
    else:
        streams.echo("no run holds any server")


@click.command("diff")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@format_option
@state_options
def diff_command(before: str, after: str, state_dir: Path, **options: str) -> int:
    """Show what differs between two plans (PLAN.json), or between a plan and what a run did (RUN). Exit 3 if they do."""
    from runner.app import comparing
    from runner.cli import output

    found = comparing.compare(state_dir, before, after)
    if options["output"] == "json":
        print_json([found])
    else:
        streams.echo(output.diff_text(found))
    return ExitCode.ABNORMAL if any(found.values()) else ExitCode.OK
