"""What people ask of a run that goes on: pause, continue, abort, approve, reject, set, exclude, hold, release."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runner.cli import streams
from runner.cli.options import all_of, pass_host
from runner.cli.paths import state_options
from runner.cli.run_names import group_argument, run_argument, wave_argument
from runner.run.commands import SETTINGS, SKIP_CHECK, Command

if TYPE_CHECKING:
    from pathlib import Path

    from runner.app.host import Host

_EPILOG = (
    "RUN is a run's id, the start of it, or `last`. A run at work takes the command in within two seconds; "
    "one that was stopped or crashed does so with `runner resume`."
)
_why = click.option("--why", default="", metavar="TEXT", help="Why; kept in the record with who and when.")
_hash = click.option("--plan-hash", metavar="sha256:...", help="Only if the run carries out this plan.")
_common = all_of(_why, state_options, pass_host)


def _give(host: Host, run: str, state_dir: Path, why: str, command: Command) -> None:
    from runner.app import operating

    streams.echo(operating.give(host, state_dir, run, command, why))


@click.command("pause", epilog=_EPILOG)
@run_argument
@_common
def pause_command(host: Host, run: str, state_dir: Path, why: str) -> None:
    """Let in nothing new; what is in flight is watched on."""
    _give(host, run, state_dir, why, Command("pause"))


@click.command("continue", epilog=_EPILOG)
@run_argument
@click.option("--skip-check", is_flag=True, help="Let the check that failed count as passed; on record.")
@_common
def continue_command(host: Host, run: str, state_dir: Path, why: str, *, skip_check: bool) -> None:
    """Go on with a run that is paused or held. A check that failed is made again; a limit that is reached holds again."""
    _give(host, run, state_dir, why, Command("continue", settings={SKIP_CHECK: "yes"} if skip_check else {}))


@click.command("abort", epilog=_EPILOG)
@run_argument
@_common
def abort_command(host: Host, run: str, state_dir: Path, why: str) -> None:
    """End a campaign: nothing new is sent, what is in flight is watched to its end. It cannot be resumed."""
    _give(host, run, state_dir, why, Command("abort"))


@click.command("approve", epilog=_EPILOG)
@run_argument
@wave_argument
@_hash
@_common
def approve_command(host: Host, run: str, wave: str, plan_hash: str | None, state_dir: Path, why: str) -> None:
    """Open the gate after a wave that waits for approval."""
    _give(host, run, state_dir, why, Command("approve", wave, _hash_setting(plan_hash)))


@click.command("reject", epilog=_EPILOG)
@run_argument
@wave_argument
@_hash
@_common
def reject_command(host: Host, run: str, wave: str, plan_hash: str | None, state_dir: Path, why: str) -> None:
    """Reject a wave that waits for approval: the campaign is aborted."""
    _give(host, run, state_dir, why, Command("reject", wave, _hash_setting(plan_hash)))


def _hash_setting(plan_hash: str | None) -> dict[str, str]:
    return {} if plan_hash is None else {"plan_hash": plan_hash}


def _settings(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    settings = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not text:
            raise click.BadParameter(f"{value!r}: expected NAME=VALUE, such as rate=5/s", ctx, param)
        settings[name] = text
    return settings


@click.command("set", epilog=_EPILOG)
@run_argument
@click.argument("settings", metavar="NAME=VALUE...", nargs=-1, required=True, callback=_settings)
@_common
def set_command(host: Host, run: str, settings: dict[str, str], state_dir: Path, why: str) -> None:
    """Change how a run goes on."""
    _give(host, run, state_dir, why, Command("set", settings=settings))


set_command.help = f"Change how a run goes on: {', '.join(SETTINGS)}, such as rate=5/s max_abnormal=10."


@click.command("exclude", epilog=_EPILOG)
@run_argument
@click.argument("servers", metavar="SERVER|EXPR")
@_common
def exclude_command(host: Host, run: str, servers: str, state_dir: Path, why: str) -> None:
    """Leave servers out that were not started yet: one by id or name, or all for which an expression holds."""
    _give(host, run, state_dir, why, Command("exclude", servers))


@click.command("include", epilog=_EPILOG)
@run_argument
@click.argument("servers", metavar="SERVER|EXPR")
@_common
def include_command(host: Host, run: str, servers: str, state_dir: Path, why: str) -> None:
    """Take servers in again that were excluded, as long as their wave is not over."""
    _give(host, run, state_dir, why, Command("include", servers))


@click.command("hold", epilog=_EPILOG)
@run_argument
@group_argument
@_common
def hold_command(host: Host, run: str, group: str, state_dir: Path, why: str) -> None:
    """Let in nothing new of a group; the others go on."""
    _give(host, run, state_dir, why, Command("hold", group))


@click.command("release", epilog=_EPILOG)
@run_argument
@group_argument
@_common
def release_command(host: Host, run: str, group: str, state_dir: Path, why: str) -> None:
    """Go on with a group that is held."""
    _give(host, run, state_dir, why, Command("release", group))
