"""Options that several commands share, and what they come to."""

from __future__ import annotations

import sys
from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.app.planning import PlanInputs
from runner.settings import default_state_dir
from runner.spec.quantities import EXPECTED_DURATION, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.app.host import Host
    from runner.model import JsonObject

    Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def all_of(*options: Decorator) -> Decorator:
    """Several options as one decorator; help shows them in this order."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def pass_host(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the host, before its own arguments: made only now, for what makes it takes long to import."""

    @click.pass_obj
    @wraps(command)
    def with_host(make_host: Callable[[], Host], /, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401  any command's
        return command(make_host(), *arguments, **options)

    return with_host


def _variable(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    variables = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name.isidentifier():
            raise click.BadParameter(f"{value!r}: expected KEY=VALUE, such as -e version=24.1.0.3", ctx, param)
        variables[name] = text
    return variables


campaign_options = all_of(
    click.option("-i", "--inventory", type=click.Path(path_type=Path), help="The servers; replaces the jobspec's."),
    click.option(
        "-e", "--var", "variables", metavar="KEY=VALUE", multiple=True, callback=_variable, help="Set a variable."
    ),
    click.option("--vars-file", type=click.Path(path_type=Path), help="A YAML or JSON file of variables."),
    click.option("--group", "groups", metavar="NAME", multiple=True, help="Only this group (repeatable)."),
    click.option("--limit", metavar="EXPR", help="Only servers for which this expression holds."),
    click.option("--endpoint", metavar="URL", help="The service; replaces the lane's."),
    click.option("--region", metavar="ID", help="The region; replaces the lane's."),
    click.option("--project-id", metavar="ID", help="The project; replaces the lane's."),
    click.option("--strict", is_flag=True, help="A group that selects nothing is an error."),
    click.option("--allow-empty-wave", is_flag=True, help="Leave waves of a rollout out that have no server."),
)


def plan_inputs(file: Path, options: JsonObject) -> PlanInputs:
    """The inputs of a plan, from the values of `campaign_options`; those are taken out of `options`."""
    names = (field.name for field in fields(PlanInputs) if field.name != "jobspec")
    return PlanInputs(jobspec=file, **{name: options.pop(name) for name in names})


state_options = click.option(
    "--state-dir",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="RUNNER_STATE_DIR",
    default=default_state_dir,
    show_default="the user's state folder",
    show_envvar=True,
    help="Where journals and reports are kept.",
)

log_options = all_of(
    click.option(
        "--log-format", type=click.Choice(["console", "json"]), help="Default: console on a terminal, json elsewhere."
    ),
    click.option("-v", "--verbose", is_flag=True, help="Log every request too."),
    click.option("-q", "--quiet", is_flag=True, help="Only errors and the result."),
    click.option("--no-color", is_flag=True, envvar="NO_COLOR", help="No colours."),
)

format_option = click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of the result.",
)


class Duration(click.ParamType[float]):
    """A duration as jobspecs have it, in seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        seconds = value if isinstance(value, float) else parse_duration(str(value))
        if seconds is None:
            self.fail(f"{value!r}: expected {EXPECTED_DURATION}", param, ctx)
        return seconds


lock_option = click.option(
    "--wait-for-lock",
    "wait_for_lock_s",
    type=Duration(),
    default=0.0,
    help="Wait so long for servers that another run holds; without it that is an error.",
)


credential_option = click.option(
    "--try-credential",
    is_flag=True,
    help="Make one call with a credential that the service refused too often, though it is too soon for that.",
)


def stderr_is_terminal() -> bool:
    """Whether a person watches."""
    return sys.stderr.isatty()
