"""`runner servers`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from runner.cli.options import (
    Duration,
    ca_option,
    credential_option,
    fleet_access,
    lane_options,
    offline_option,
    pass_host,
    variable_option,
)
from runner.cli.paths import UserPath, state_options
from runner.errors import RunnerError
from runner.model import Lane

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runner.app.fleet_access import FleetAccess
    from runner.app.fleet_view import FleetQuestion, FleetView
    from runner.app.host import Host

_EVERY_S = 60.0


@click.command("servers")
@click.argument("jobspec", type=UserPath(), required=False)
@click.option("--scope", type=click.Choice(["mine", "all"]), help="Your own servers, or all of the tenant.")
@click.option("--select", metavar="EXPR", help="Only servers for which this expression holds.")
@click.option("--by", metavar="EXPR", help="Count them by this expression, such as labels.flavor.")
@click.option(
    "--format",
    "output",
    type=click.Choice(["table", "csv", "ndjson", "json", "ids"]),
    default="table",
    show_default=True,
    help="Form of the result; all but table and json can be an inventory.",
)
@click.option("--watch", is_flag=True, help="Look again and again, and say what changed.")
@click.option("--every", "every_s", type=Duration(), default=_EVERY_S, help="How long --watch waits.  [default: 1m]")
@lane_options
@variable_option
@offline_option
@credential_option
@ca_option
@state_options
@click.option("-q", "--quiet", is_flag=True, help="Only the servers.")
@pass_host
def servers_command(host: Host, jobspec: Path | None, **options: Any) -> None:
    """List the servers of a jobspec's lanes, or of one lane, as the service has them now, and what changed since last time.

    The list is whole, or refused. It is kept: a plan of `inventory: {api: ...}` or of `-i api:` is made from it. Its fields
    are labels. `runner servers ... --format ndjson | runner plan JOBSPEC -i -` plans for those that were selected.
    """
    from runner.app.fleet_view import FleetQuestion, view
    from runner.cli import fleet_text, output

    access, output_format, watch = fleet_access(options), options["output"], options["watch"]
    if watch and (output_format != "table" or options["by"] or access.is_offline):
        raise click.UsageError("--watch says what changes: it goes without --format, --by and --offline")
    lane = Lane(options["region"], options["endpoint"], options["project_id"])
    question = FleetQuestion(lane, jobspec, options["scope"], options["select"], options["by"], options["variables"])
    found = view(host, question, access)
    for remark in found.remarks:
        output.warning(remark)
    fleet_text.show(found, output_format, question.by)
    if output_format != "json" and not options["quiet"]:
        fleet_text.show_change(found.change, host.clock.wall(), beside=output_format != "table")
    if watch:
        _watch(host, question, access, options["every_s"], view)


def _watch(
    host: Host,
    question: FleetQuestion,
    access: FleetAccess,
    every_s: float,
    view: Callable[[Host, FleetQuestion, FleetAccess], FleetView],
) -> None:
    """Say what changed, until interrupted. A look that fails is said, and the next one comes all the same."""
    from runner.app.fleet_access import FleetAccess
    from runner.cli import fleet_text, output

    silent = FleetAccess(access.state_dir, access.ca_bundle)
    while True:
        host.run_loop(host.clock.sleep(every_s))
        try:
            found = view(host, question, silent)
        except RunnerError as error:
            output.error(str(error))
            continue
        if found.change:
            fleet_text.show_change(found.change, host.clock.wall(), beside=False)
