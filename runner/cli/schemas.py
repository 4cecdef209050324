"""`runner schema`."""

from __future__ import annotations

import click

from runner.app import formats
from runner.cli import streams
from runner.cli.json_text import print_json


@click.command("schema")
@click.argument("name", type=click.Choice(formats.NAMES), required=False)
@click.option("--list", "only_list", is_flag=True, help="Only the names.")
def schema_command(name: str | None, *, only_list: bool) -> None:
    """Print a JSON Schema: of jobspecs, inventories, plans, reports, journal events, or simulator behaviours."""
    if only_list or name is None:
        streams.echo("\n".join(formats.NAMES))
        return
    print_json(formats.schema(name))
