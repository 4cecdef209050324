"""`runner templates`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from runner.cli import streams
from runner.cli.options import (
    OutputPath,
    ca_option,
    credential_option,
    fleet_access,
    format_option,
    lane_options,
    pass_host,
    variable_option,
)
from runner.cli.paths import UserPath, state_options
from runner.model import Lane
from runner.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from runner.app.host import Host
    from runner.app.job_templates import SavedTemplates
    from runner.spec.job_templates import JobTemplate

_LONGEST = 200


@click.command("templates")
@click.argument("kind", metavar="[TYPE]", required=False)
@click.option("-j", "--jobspec", type=UserPath(), help="Ask on its lanes.")
@lane_options
@variable_option
@click.option("--save", is_flag=True, help="Keep them, so that `runner validate` checks by them without the network.")
@click.option("-o", "--output", "file", type=OutputPath(), help="Write them for `validate --templates`; - is stdout.")
@format_option
@credential_option
@ca_option
@state_options
@pass_host
def templates_command(host: Host, kind: str | None, jobspec: Path | None, **options: Any) -> None:
    """Show the service's job templates, or those of one TYPE with their parameters: what `items[].spec` may hold."""
    from runner.app import job_templates, reading_templates
    from runner.cli.json_text import print_json
    from runner.files.writing import is_stdout, write

    file: Path | None = options["file"]
    access = fleet_access(options)
    lane = Lane(options["region"], options["endpoint"], options["project_id"])
    asked = reading_templates.asked_of(host, lane, jobspec, options["variables"])
    found = reading_templates.read_templates(host, asked, access)
    chosen = [saved.templates if kind is None else job_templates.of_kind(saved, kind) for saved in found]
    if options["save"]:
        for own_lane, saved in zip(asked.lanes, found, strict=True):
            job_templates.save_templates(host, access, own_lane, saved)
    if file is not None:
        write(file, job_templates.templates_json(job_templates.only_one(found)))
        if is_stdout(file):
            return
    if options["output"] == "json":
        print_json([job_templates.as_object(saved, few) for saved, few in zip(found, chosen, strict=True)])
        return
    for saved, few in zip(found, chosen, strict=True):
        _show(saved, few, with_parameters=kind is not None)
    if file is not None or options["save"]:
        streams.echo(f"saved{f' to {one_line(str(file))}' if file else ''}: `runner validate` checks by them")


def _show(saved: SavedTemplates, templates: Sequence[JobTemplate], *, with_parameters: bool) -> None:
    from runner.cli.table import table

    if not with_parameters:
        streams.echo(one_line(saved.lane))
        rows = [
            [one.type, one.name, one.flavor or "", ", ".join(parameter.name for parameter in one.parameters)]
            for one in templates
        ]
        streams.echo(table(["type", "name", "flavor", "parameters"], rows))
        return
    for template in templates:
        streams.echo(one_line(f"{template.type} ({template.name}) for {template.flavor or 'any flavor'}"))
        if template.description:
            streams.echo(f"  {one_line(template.description, _LONGEST)}")
        parameters = [
            [one.name, "must be given" if one.default is None else one.default, one.pattern or "", one.description]
            for one in template.parameters
        ]
        streams.echo(table(["parameter", "default", "pattern", "description"], parameters))
