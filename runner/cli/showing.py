"""`runner show`: one run, its servers, its decisions, what to type."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import click

from runner.cli import streams
from runner.cli.json_text import print_json
from runner.cli.options import pass_host, some_of
from runner.cli.paths import state_options
from runner.cli.run_names import run_argument
from runner.cli.table import table
from runner.model import Outcome
from runner.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from runner.app.host import Host
    from runner.report.counts_by import ValueCounts
    from runner.report.server_rows import AffectedServer

_FORMS = ("text", "json", "csv", "ids")
_COLUMNS = ("id", "name", "outcome", "wave", "group", "lane", "step", "job_id", "why")
# What may be had of each view.
_OF = {
    "the run": ("text", "json"),
    "--failed": _FORMS,
    "--only": _FORMS,
    "--by": ("text", "json", "csv"),
    "--server": ("text", "json", "csv"),
    "--log": ("text", "json", "csv"),
}


def _only(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[Outcome, ...] | None:
    names = None if value is None else some_of([outcome.value for outcome in Outcome], ctx, param, value)
    return None if names is None else tuple(map(Outcome, names))


@click.command("show")
@run_argument
@click.option("--failed", is_flag=True, help="The servers that failed, timed out or are unknown, and why.")
@click.option("--only", callback=_only, metavar="OUTCOME,...", help="The servers with these outcomes, and why.")
@click.option(
    "--by", metavar="NAME", help="Servers by outcome for each value of a label (labels.rack), wave, group, lane."
)
@click.option("--server", metavar="SERVER", help="One server, by id or name, in every run: newest first.")
@click.option("--log", is_flag=True, help="What happened, line by line, in UTC.")
@click.option("-v", "--verbose", is_flag=True, help="With --log: every job that was accepted, too.")
@click.option(
    "--format",
    "output",
    type=click.Choice(_FORMS),
    default="text",
    show_default=True,
    help="Form of the result; ids: of --failed and --only, one a line.",
)
@state_options
@pass_host
def show_command(host: Host, run: str, state_dir: Path, **options: Any) -> None:
    """Show one run: how it stands, which servers failed, why and where, what to type next.

    RUN is its id, the start of it, or `last`. The ids of `--failed --format ids` are taken by `--limit @-`.
    """
    view = _view(options)
    form = options["output"]
    if form not in _OF[view]:
        raise click.UsageError(f"--format {form} is not for {view}: expected {', '.join(_OF[view])}")
    _VIEWS[view](host, run, state_dir, options)


def _view(options: dict[str, Any]) -> str:
    asked = [name for name in _OF if options.get(name.removeprefix("--")) not in {None, False}]
    if len(asked) > 1:
        raise click.UsageError(f"{' and '.join(asked)} are two questions: ask them one after the other")
    return asked[0] if asked else "the run"


def _show_run(host: Host, run: str, state_dir: Path, options: dict[str, Any]) -> None:
    from runner.app import history, showing

    if options["output"] == "json":
        print_json([showing.run_json(host, state_dir, run)])
    else:
        streams.echo(history.read_run(state_dir, run).summary(host.clock.wall()))


def _show_servers(host: Host, run: str, state_dir: Path, options: dict[str, Any]) -> None:
    from runner.app import history
    from runner.report.server_rows import ABNORMAL, server_rows

    del host
    report = history.read_run(state_dir, run).report
    rows = list(server_rows(report, options["only"] or ABNORMAL))
    if options["output"] == "ids":
        streams.echo_all(dict.fromkeys(row.id for row in rows))
    elif options["output"] == "csv":
        labels = sorted({name for row in rows for name in row.labels})
        header = [*_COLUMNS, *(f"labels.{name}" for name in labels)]
        _echo_csv(header, ([*row[:-1], *map(row.labels.get, labels)] for row in rows))
    elif options["output"] == "json":
        print_json([row.as_json() for row in rows])
    else:
        streams.echo(_servers_text(rows))


def _servers_text(rows: Sequence[AffectedServer]) -> str:
    """A table without the columns that say the same of all."""
    if not rows:
        return "there is no such server"
    columns: list[tuple[str, Callable[[AffectedServer], object]]] = [
        ("name", lambda row: row.name),
        ("wave", lambda row: row.wave),
        ("group", lambda row: row.group),
        ("lane", lambda row: row.lane),
        ("step", lambda row: row.step),
    ]
    shown = [column for column in columns if _tells(column, rows)]
    header = ["id", *(name for name, _ in shown), "outcome", "why"]
    return table(header, ([row.id, *(of(row) for _, of in shown), _words(row.outcome), row.why] for row in rows))


def _tells(column: tuple[str, Callable[[AffectedServer], object]], rows: Sequence[AffectedServer]) -> bool:
    name, of = column
    return any(row.name != row.id for row in rows) if name == "name" else len({of(row) for row in rows}) > 1


def _show_by(host: Host, run: str, state_dir: Path, options: dict[str, Any]) -> None:
    from runner.app import showing
    from runner.report.counts_by import COUNTED, counts_by

    del host
    name = options["by"]
    rows = counts_by(showing.read_facts(state_dir, run), name)
    if options["output"] == "json":
        print_json([row.as_json() for row in rows])
    elif options["output"] == "csv":
        cells = ([row.value, row.servers, *map(row.counts.__getitem__, COUNTED)] for row in rows)
        _echo_csv([name, "servers", *COUNTED], cells)
    else:
        streams.echo(_by_text(name, rows, [one for one in COUNTED if any(row.counts[one] for row in rows)]))


def _by_text(name: str, rows: Sequence[ValueCounts], counted: Sequence[str]) -> str:
    """Only what was counted at all; with the share that is abnormal."""
    header = [one_line(name), "servers", *map(_words, counted), "abnormal"]
    return table(
        header,
        (
            [
                "(none)" if row.value is None else row.value,
                f"{row.servers:,}",
                *(f"{row.counts[one]:,}" for one in counted),
                f"{100 * row.bad / row.servers:.1f} %",
            ]
            for row in rows
        ),
    )


def _show_server(host: Host, run: str, state_dir: Path, options: dict[str, Any]) -> None:
    from runner.app.server_history import ServerInRun, server_history

    del host
    found = server_history(state_dir, run, options["server"])
    if options["output"] == "json":
        print_json([one.as_json() for one in found])
    elif options["output"] == "csv":
        _echo_csv(ServerInRun._fields, found)
    else:
        for one in found:  # each as soon as it is read
            place = " ".join(filter(None, (one.wave, one.group, one.step)))
            said = f": {one.why}" if one.why else ""
            line = f"{one.started_at[:19]}Z  {one.run}  {one.campaign}  {_words(one.outcome)} ({place}){said}"
            streams.echo(one_line(line))


def _show_log(host: Host, run: str, state_dir: Path, options: dict[str, Any]) -> None:
    from runner.app import showing
    from runner.cli.event_log import log_lines

    del host
    least = logging.DEBUG if options["verbose"] else logging.INFO
    with showing.told_events(state_dir, run) as (run_id, told):
        lines = log_lines(run_id, told, least)
        if options["output"] == "json":
            print_json([line.as_json() for line in lines])
        elif options["output"] == "csv":
            header = ("at", "level", "event", "particulars")
            _echo_csv(header, ((line.as_json()["at"], line.level, line.what, line.particulars) for line in lines))
        else:
            streams.echo_all(line.line for line in lines)


_VIEWS = {
    "the run": _show_run,
    "--failed": _show_servers,
    "--only": _show_servers,
    "--by": _show_by,
    "--server": _show_server,
    "--log": _show_log,
}


def _words(name: str) -> str:
    return name.replace("_", " ")


def _echo_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    from runner.report.csv_text import csv_lines

    streams.echo_all(csv_lines(header, rows))
