"""`runner validate` and `runner plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.app import forecasting, planning
from runner.cli import output, streams
from runner.cli.options import campaign_options, format_option, pass_host, plan_inputs

if TYPE_CHECKING:
    from runner.app.host import Host
    from runner.plan.plan import Plan


@click.command("validate")
@click.argument("jobspec", type=click.Path(path_type=Path))
@campaign_options
@pass_host
def validate_command(host: Host, jobspec: Path, **options: Any) -> None:  # noqa: ANN401  click hands options over by name
    """Check a jobspec and its inventory, and say everything that is wrong at once. No network."""
    plan = planning.make_plan(host, plan_inputs(jobspec, options))
    output.warnings(plan)
    streams.echo(f"{jobspec}: valid, {output.plan_line(plan)}")


@click.command("plan")
@click.argument("jobspec", type=click.Path(path_type=Path))
@campaign_options
@format_option
@click.option("-o", "--output", "plan_file", type=click.Path(path_type=Path), help="Write the plan, with its hash.")
@pass_host
def plan_command(host: Host, jobspec: Path, **options: Any) -> None:  # noqa: ANN401  likewise
    """Show every group, how many requests it comes to, how long they take, and the first of them. No network."""
    output_format = options.pop("output")
    plan_file = options.pop("plan_file")
    plan = planning.make_plan(host, plan_inputs(jobspec, options))
    if plan_file is not None:
        planning.write_plan(plan, plan_file)
    show_plan(plan, output_format, plan_file)


def show_plan(plan: Plan, output_format: str, plan_file: Path | None = None) -> None:
    """Print a plan for a person, or for a machine."""
    if output_format == "json":
        output.print_json([output.plan_object(plan, forecasting.forecast_plan(plan))])
        return
    output.warnings(plan)
    streams.echo(output.plan_text(plan, forecasting.forecast_plan(plan)))
    if plan_file is not None:
        streams.echo(f"plan written to {plan_file}")
