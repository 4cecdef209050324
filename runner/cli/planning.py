"""`runner validate` and `runner plan`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from runner.cli.options import (
    OutputPath,
    ca_option,
    campaign_options,
    credential_option,
    offline_option,
    pass_host,
    plan_inputs,
)
from runner.cli.paths import UserPath, list_folder_option
from runner.files.writing import is_stdout
from runner.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from runner.app.host import Host
    from runner.app.planning import PlanInputs
    from runner.model import JsonObject
    from runner.plan.plan import Plan
    from runner.report.page import Page


@click.command("validate")
@click.argument("jobspec", metavar="JOBSPEC|PLAN.json", type=UserPath())
@campaign_options
@click.option("--online", is_flag=True, help="Ask the service for its templates, and for servers that it lists.")
@click.option("--templates", "templates_file", type=UserPath(), help="Templates that `runner templates -o` wrote.")
@credential_option
@ca_option
@list_folder_option
@pass_host
def validate_command(host: Host, jobspec: Path, **options: Any) -> None:
    """Check a jobspec with its inventory and variables, or a plan, and show the mistakes of all of them at once.

    What follows from a mistake is looked at once that is mended. Nothing is asked of the network but with --online, so
    credentials, endpoint, project and the service's own rules are not checked; nor are other variables than are given here,
    nor secrets. Types and parameters are checked by the service's templates: those of a file, those that were saved, or
    with --online those of now. It says what it did not check. Exit codes: 0 valid, 2 mistakes, 6 a plan that was changed or
    is outdated, 7 the service cannot be used.
    """
    from runner.app import validating
    from runner.app.job_templates import Against
    from runner.cli import output, streams

    host.zone()
    online, file = options.pop("online"), options.pop("templates_file")
    if online and file is not None:
        raise click.UsageError("--online asks the service for its templates, and --templates names a file of them")
    inputs = plan_inputs(jobspec, options | {"offline": not online, "may_lack": not online})
    found = validating.validate(host, inputs, Against(online, file))
    if found.plan is not None and not found.problems:
        output.warnings(found.plan)
        streams.echo(f"{one_line(str(jobspec))}: valid, {output.plan_line(found.plan)}")
    if found.beside:
        streams.echo("\n".join(["checked by:", *(f"  {one_line(what)}" for what in found.beside)]))
    streams.echo("\n".join(["not checked:", *(f"  {what}" for what in found.unchecked)]))
    if found.plan is not None or found.problems:
        found.valid()


@click.command("plan")
@click.argument("jobspec", metavar="JOBSPEC|PLAN.json", type=UserPath())
@campaign_options
@offline_option
@credential_option
@ca_option
@list_folder_option
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json", "markdown", "html"]),
    default="text",
    show_default=True,
    help="Form of the result; markdown fits a merge request.",
)
@click.option("-o", "--output", "plan_file", type=OutputPath(), help="Write the plan, with its hash; - is stdout.")
@pass_host
def plan_command(host: Host, jobspec: Path, **options: Any) -> None:
    """Show what is sent to whom, in which waves, within which limits, and what that means should servers fail.

    No network, but for an inventory that the service lists, and that is not kept, or too old. Of a plan, what it is;
    `runner diff` compares two.
    """
    from runner.app import planning

    output_format = options.pop("output")
    plan_file = options.pop("plan_file")
    if output_format != "text" and is_stdout(plan_file):
        raise click.UsageError(f"-o - and --format {output_format} would both be on standard output: give -o a file")
    host.zone()
    inputs = plan_inputs(jobspec, options)
    plan = planning.rehearsed(planning.read_or_make_plan(host, inputs), inputs)
    if plan_file is not None:
        planning.write_plan(plan, plan_file)
    show_plan(host, plan, output_format, inputs=inputs, plan_file=plan_file)


def show_plan(
    host: Host,
    plan: Plan,
    output_format: str = "text",
    *,
    inputs: PlanInputs | None = None,
    plan_file: Path | None = None,
) -> None:
    """Print a plan for a person, or for a machine; on stderr where standard output has the plan itself.

    `inputs` are what it was made, or read, from; `plan_file` is where it was written to.
    """
    from runner.cli import output, streams
    from runner.cli.json_text import print_json
    from runner.cli.plan_page import plan_page

    if output_format == "json":
        print_json([output.plan_object(plan, _forecast(plan))])
        return
    output.warnings(plan)
    stands_in = _file_of_plan(inputs, plan_file)
    page = plan_page(plan, _forecast(plan), now=host.clock.wall(), zone=host.zone(), file=stands_in)
    beside = is_stdout(plan_file)
    (streams.say if beside else streams.echo)(_FORMS[output_format](page))
    if plan_file is not None and not beside and output_format == "text":
        streams.echo(f"plan written to {one_line(str(plan_file))}")


def _file_of_plan(inputs: PlanInputs | None, plan_file: Path | None) -> str | None:
    """Where the plan can be read again, as a shell takes it; None where that is nowhere, or nothing to be shown."""
    from runner.app.kinds import is_plan

    file = None if plan_file is None or is_stdout(plan_file) else plan_file
    if file is None and inputs and inputs.jobspec not in inputs.read and is_plan(inputs.jobspec, inputs.read):
        file = inputs.jobspec
    return shlex.quote(str(file)) if file and str(file).isprintable() else None


def _text(page: Page) -> str:
    from runner.cli.page_text import page_text

    return page_text(page)


def _markdown(page: Page) -> str:
    from runner.report.markdown import markdown

    return markdown(page)


def _html(page: Page) -> str:
    from runner.report.html import html

    return html(page)


_FORMS: dict[str, Callable[[Page], str]] = {"text": _text, "markdown": _markdown, "html": _html}


def _forecast(plan: Plan) -> Sequence[JsonObject]:
    if plan.rollout is None:
        return ()
    from runner.app.forecasting import forecast_plan

    return forecast_plan(plan)
