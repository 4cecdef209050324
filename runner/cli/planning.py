"""`runner validate` and `runner plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from runner.cli.options import OutputPath, campaign_options, format_option, pass_host, plan_inputs
from runner.cli.paths import UserPath
from runner.files.writing import is_stdout
from runner.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from runner.app.host import Host
    from runner.model import JsonObject
    from runner.plan.plan import Plan


@click.command("validate")
@click.argument("jobspec", metavar="JOBSPEC|PLAN.json", type=UserPath())
@campaign_options
@pass_host
def validate_command(host: Host, jobspec: Path, **options: Any) -> None:
    """Check a jobspec with its inventory and variables, or a plan, and show the mistakes of all of them at once.

    What follows from a mistake is looked at once that is mended. Nothing is asked of the network, so credentials,
    endpoint, project and the service's own rules are not checked; nor are other variables than are given here, nor
    secrets. It says what it did not check. Exit codes: 0 valid, 2 mistakes, 6 a plan that was changed or is outdated.
    """
    from runner.app import validating
    from runner.cli import output, streams

    host.zone()
    found = validating.validate(host, plan_inputs(jobspec, options))
    if found.plan is not None and not found.problems:
        output.warnings(found.plan)
        streams.echo(f"{one_line(str(jobspec))}: valid, {output.plan_line(found.plan)}")
    streams.echo("\n".join(["not checked:", *(f"  {what}" for what in found.unchecked)]))
    found.valid()


@click.command("plan")
@click.argument("jobspec", metavar="JOBSPEC|PLAN.json", type=UserPath())
@campaign_options
@format_option
@click.option("-o", "--output", "plan_file", type=OutputPath(), help="Write the plan, with its hash; - is stdout.")
@pass_host
def plan_command(host: Host, jobspec: Path, **options: Any) -> None:
    """Show every group, how many requests it comes to, how long they take, and the first of them. No network.

    Of a plan, what it is; `runner diff` compares two.
    """
    from runner.app import planning

    output_format = options.pop("output")
    plan_file = options.pop("plan_file")
    if output_format == "json" and is_stdout(plan_file):
        raise click.UsageError("-o - and --format json would both be on standard output: give -o a file")
    host.zone()
    plan = planning.read_or_make_plan(host, plan_inputs(jobspec, options))
    if plan_file is not None:
        planning.write_plan(plan, plan_file)
    show_plan(plan, output_format, plan_file)


def show_plan(plan: Plan, output_format: str, plan_file: Path | None = None) -> None:
    """Print a plan for a person, or for a machine; on stderr where standard output has the plan itself."""
    from runner.cli import output, streams

    beside = is_stdout(plan_file)
    if output_format == "json":
        output.print_json([output.plan_object(plan, _forecast(plan))])
        return
    output.warnings(plan)
    (streams.say if beside else streams.echo)(output.plan_text(plan, _forecast(plan)))
    if plan_file is not None and not beside:
        streams.echo(f"plan written to {one_line(str(plan_file))}")


def _forecast(plan: Plan) -> Sequence[JsonObject]:
    if plan.rollout is None:
        return ()
    from runner.app.forecasting import forecast_plan

    return forecast_plan(plan)
