"""The entry: which commands there are, and the one place where errors become exit codes.

A command's module is imported when the command is used: the program is started by cron and by completion, and
importing all of it takes several times as long as answering `--help`.
"""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, TextIO

import click

from runner import __version__
from runner.cli import streams
from runner.cli.arguments import refuse_undecodable
from runner.cli.json_lines import JsonLines, asks_for_json
from runner.errors import ExitCode, RunnerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from runner.app.host import Host


class _Entry(NamedTuple):
    module: str
    help: str


COMMANDS = {
    "validate": _Entry("planning", "Check a jobspec or a plan, all at once; no network."),
    "plan": _Entry("planning", "Show, or write, every request a jobspec comes to."),
    "run": _Entry("running", "Carry out a jobspec or a plan, and report."),
    "resume": _Entry("running", "Go on with a run that was stopped or crashed."),
    "retry": _Entry("running", "Do again those servers that did not succeed."),
    "report": _Entry("history", "Write the report of a run again."),
    "watch": _Entry("watching", "Show a run of another process until it is over."),
    "list": _Entry("listing", "The runs there are, newest first."),
    "show": _Entry("showing", "One run in detail."),
    "diff": _Entry("history", "What differs between two plans, or a plan and a run."),
    "verify": _Entry("history", "Check that a run's record is as it was written."),
    "export": _Entry("pruning", "Write one run to a file, to hand to somebody."),
    "prune": _Entry("pruning", "Forget old runs; shows first what would go."),
    "locks": _Entry("history", "Which runs hold servers; let go of them."),
    "backup": _Entry("keeping", "Copy the journal safely, while runs go on."),
    "pause": _Entry("operating", "Let in nothing new; go on watching."),
    "continue": _Entry("operating", "Go on with a run that is paused or held."),
    "abort": _Entry("operating", "End a campaign; what is in flight is watched."),
    "approve": _Entry("operating", "Open the gate after a wave."),
    "reject": _Entry("operating", "Reject a wave: the campaign is aborted."),
    "set": _Entry("operating", "Change rate, concurrency or limits of a run."),
    "exclude": _Entry("operating", "Leave servers out that were not started."),
    "include": _Entry("operating", "Take servers in again that were excluded."),
    "hold": _Entry("operating", "Let in nothing new of a group."),
    "release": _Entry("operating", "Go on with a group that is held."),
    "servers": _Entry("servers", "The servers that the service lists; what changed."),
    "templates": _Entry("templates", "The service's job templates, and their parameters."),
    "simulate": _Entry("simulating", "A simulated Lite Server API on loopback."),
    "schema": _Entry("schemas", "Print a JSON Schema of a file format."),
    "completion": _Entry("completing", "Print the shell completion script."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = import_module(f"runner.cli.{entry.module}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        del ctx
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="runner")
def cli() -> None:
    """Declarative batch jobs over fleets of ModelArts Lite Servers.

    A jobspec says what to run, on which servers, how carefully. `plan` shows what it comes to, `run` does it.
    Exit codes: 0 all succeeded, 2 invalid input, 3 some servers did not succeed, 4 aborted, 5 stopped (resume it),
    6 refused to start, 7 the service cannot be used.
    """


def main() -> None:
    """Run the command line and exit with its code."""
    # A fleet is millions of values that stay: looking through them again and again takes a tenth of the time.
    gc.set_threshold(200_000, 50, 100)
    if sys.argv[1:2] == ["plan"]:
        gc.disable()  # nothing of a plan goes before the command ends
    if not os.environ.get("HOME"):
        os.environ.pop("HOME", None)  # an empty one is none: the list of users has another
    streams.prepare()
    # Until a run has its own handling, these end the command as Ctrl-C does: cleanly. `nohup` has one of them ignored.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _terminate)
    code = run_command_line(sys.argv[1:], _this_host, sys.stdout, sys.stderr)
    # Everything is closed by now; taking a fleet of a million values apart one by one would take as long as reading it.
    os._exit(code)


def run_command_line(arguments: Sequence[str], make_host: Callable[[], Host], stdout: TextIO, stderr: TextIO) -> int:
    """Do what the arguments say, with results to `stdout` and all else to `stderr`; return the exit code.

    All of `main` that is not the process: it sets up no signals, ends nothing, and raises nothing. `make_host` is called
    once, by a command that needs more of the process than its arguments.
    """
    log = _json_lines(stderr) if asks_for_json(arguments) else None
    with redirect_stdout(stdout), redirect_stderr(log or stderr):
        code = _exit_code(arguments, cache(make_host))
        if log is not None:
            log.finish()
        with suppress(KeyboardInterrupt):
            streams.settle(stdout)
    return code


def _json_lines(stderr: TextIO) -> JsonLines:
    from runner.engine.clock import SystemClock

    return JsonLines(stderr, SystemClock().wall)


def _this_host() -> Host:
    from runner.app.process import this_host

    return this_host()


def _terminate(signum: int, frame: FrameType | None) -> None:
    del frame
    if signum == signal.SIGHUP:
        signal.signal(signum, signal.SIG_IGN)  # the end of a session sends it twice
    raise KeyboardInterrupt


def _exit_code(arguments: Sequence[str], make_host: Callable[[], Host]) -> int:
    try:
        refuse_undecodable(arguments)
        result = cli.main(list(arguments), prog_name="runner", standalone_mode=False, obj=make_host)
    except click.exceptions.Exit as stop:
        result = stop.exit_code
    except SystemExit as stop:  # click's, once it has completed a word for a shell
        result = stop.code
    except click.ClickException as error:
        said = io.StringIO()
        error.show(said)
        streams.say(said.getvalue().rstrip())
        result = ExitCode.INVALID
    except RunnerError as error:
        streams.say(f"error: {error}")
        result = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        streams.say("interrupted: nothing more is done")
        result = ExitCode.STOPPED
    except Exception:  # noqa: BLE001  the last resort
        result = _unforeseen()
    return result if isinstance(result, int) else ExitCode.OK


def _unforeseen() -> int:
    """What nobody caught: a bug of ours."""
    streams.say(traceback.format_exc())
    streams.say(
        f"internal error: this is a bug in runner {__version__}. Nothing recorded is lost; a run can be resumed."
    )
    streams.say("Please report it with the text above and the command you ran.")
    return ExitCode.INTERNAL
