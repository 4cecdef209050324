"""Options that several commands share, and what they come to."""

from __future__ import annotations

import sys
from dataclasses import fields
from difflib import get_close_matches
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.paths import UserPath
from runner.errors import InvalidInput, Problem
from runner.files.writing import check
from runner.report.format_names import ReportFormat

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runner.app.fleet_access import FleetAccess
    from runner.app.host import Host
    from runner.app.planning import PlanInputs
    from runner.model import JsonObject
    from runner.run.gate import Patience

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


_FORMS = [form.value for form in ReportFormat]
_ENDINGS = {"md": "markdown", "xml": "junit", "htm": "html", "metrics": "prom", "table": "csv"}
_STDIN = Path("-")
_NO_LIVE_VIEW = {"", "dumb", "unknown"}
_EXPECTED_VARIABLE = "expected KEY=VALUE, such as -e version=24.1.0.3, or KEY:=VALUE with a value as YAML has it"


def _variable(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, object]:
    """The variables; None for one that is given empty."""
    from runner.spec.json_source import read_document

    variables: dict[str, object] = {}
    for value in values:
        name, equals, text = value.partition("=")
        typed = name.endswith(":")
        name = name.removesuffix(":")
        if not equals or not name.isidentifier():
            raise click.BadParameter(f"{value!r}: {_EXPECTED_VARIABLE}", ctx, param)
        try:
            typed_value = read_document(text, f"-e {name}").data if typed else None
            variables[name] = typed_value if typed else text if text.strip() else None
        except InvalidInput as error:
            raise click.BadParameter(f"{value!r}: {error.problems[0].message}", ctx, param) from error
    return variables


variable_option = click.option(
    "-e",
    "--var",
    "variables",
    metavar="KEY=VALUE",
    multiple=True,
    callback=_variable,
    help="Set a variable to a text; KEY:=VALUE to a value as YAML has it.",
)

lane_options = all_of(
    click.option("--endpoint", metavar="URL", help="The service; replaces the lane's."),
    click.option("--region", metavar="ID", help="The region; replaces the lane's."),
    click.option("--project-id", metavar="ID", help="The project; replaces the lane's."),
)

campaign_options = all_of(
    click.option(
        "-i",
        "--inventory",
        type=UserPath(),
        help="The servers; replaces the jobspec's. - is stdin; api: is the service.",
    ),
    variable_option,
    click.option("--allow-new-vars", is_flag=True, help="-e may set what the jobspec does not know."),
    click.option("--vars-file", type=UserPath(), help="A YAML or JSON file of variables."),
    click.option("--group", "groups", metavar="NAME", multiple=True, help="Only this group (repeatable)."),
    click.option(
        "--limit",
        metavar="EXPR|@FILE",
        help="Only servers for which this expression holds; or those of a file of ids or names, or of a report.",
    ),
    lane_options,
    click.option("--strict", is_flag=True, help="A group that selects nothing is an error."),
    click.option("--allow-empty-wave", is_flag=True, help="Leave waves of a rollout out that have no server."),
)


def plan_inputs(file: Path, options: JsonObject, *, once_key: str | None = None) -> PlanInputs:
    """The inputs of a plan, from the values of `campaign_options`; those are taken out of `options`.

    Raises:
        UsageError: several of them are to be read from standard input.
    """
    from runner.app.planning import PlanInputs

    beside = {"jobspec", "read", "once_key", "access", "also_wanted"}
    given = {field.name: options.pop(field.name) for field in fields(PlanInputs) if field.name not in beside}
    listed = given["limit"] is not None and given["limit"].startswith("@")
    limit = Path(given["limit"][1:]) if listed else None
    paths = {"JOBSPEC": file, "-i": given["inventory"], "--vars-file": given["vars_file"], "--limit": limit}
    from_stdin = [name for name, path in paths.items() if path == _STDIN]
    if len(from_stdin) > 1:
        raise click.UsageError(f"{' and '.join(from_stdin)} cannot both be read from standard input")
    if from_stdin and sys.stdin is None:
        raise click.UsageError(f"{from_stdin[0]} is to be read from standard input, which is closed")
    read = {path: _content(path) for path in paths.values() if path is not None and _is_read_once(path)}
    return PlanInputs(jobspec=file, read=read, once_key=once_key, access=fleet_access(options), **given)


def fleet_access(options: JsonObject) -> FleetAccess:
    """How lists of the service are come by, from the options of a command; `offline` is taken out of them."""
    from runner.app.fleet_access import FleetAccess
    from runner.cli.fleet_progress import FleetProgress
    from runner.settings import NO_STATE_DIR

    shown = FleetProgress(is_quiet=bool(options.get("quiet")))
    offline, may_lack = options.pop("offline", False), options.pop("may_lack", False)
    folder, ca_bundle = options.get("state_dir", NO_STATE_DIR), options.get("ca_bundle")
    insists = options.get("try_credential", False)
    return FleetAccess(folder, ca_bundle, offline, may_lack, insists, shown.tell, shown.progress)


def _is_read_once(path: Path) -> bool:
    try:
        return path == _STDIN or path.is_fifo()
    except OSError:
        return False  # said when it is read


def _content(path: Path) -> bytes:
    from runner.app.kinds import read_file

    if path != _STDIN:
        return read_file(path, {})
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise InvalidInput(Problem(f"cannot be read: {error.strerror}", "standard input")) from error


log_options = all_of(
    click.option(
        "--log-format", type=click.Choice(["console", "json"]), help="Default: console on a terminal, json elsewhere."
    ),
    click.option("-v", "--verbose", is_flag=True, help="Log every request too."),
    click.option("-q", "--quiet", is_flag=True, help="Only errors and the result."),
    click.option("--no-color", is_flag=True, help="No colours; so has NO_COLOR, set to anything."),
)

offline_option = click.option(
    "--offline", is_flag=True, help="Ask the service for no list: use those that are kept, however old."
)

ca_option = click.option("--ca-bundle", type=UserPath(), help="A PEM file of certificates to trust.")

format_option = click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of the result.",
)


def some_of(known: Sequence[str], ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    """Words with commas between them, each of which must be a known one."""
    names = tuple(value.split(","))
    for name in names:
        if name not in known:
            raise click.BadParameter(f"{name!r}: expected some of {', '.join(known)}", ctx, param)
    return names


class Duration(click.ParamType[float]):
    """A duration as jobspecs have it, in seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        from runner.spec.quantities import EXPECTED_DURATION, parse_duration

        seconds = value if isinstance(value, float) else parse_duration(str(value))
        if seconds is None:
            self.fail(f"{value!r}: expected {EXPECTED_DURATION}", param, ctx)
        return seconds


class OutputPath(UserPath):
    """A file to write, or a stream; `-` is standard output. What cannot be written is refused before anything is done."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, readable=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:  # noqa: ANN401  click's
        """The path.

        Raises:
            FileNotWritten: nothing can be written there now.
        """
        path: Path = super().convert(value, param, ctx)
        check(path)
        return path


class ReportTarget(OutputPath):
    """A report that is asked for: FILE, which is JSON, or FORMAT=FILE. `./json=1` is a file of that name."""

    name = "report"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401  click's
        """Its form and its place.

        Raises:
            FileNotWritten: nothing can be written there now.
        """
        from runner.app.reporting import NamedReport

        word, equals, file = str(value).partition("=")
        form = self._form(word, param, ctx) if equals else None
        path = super().convert(value if form is None else file, param, ctx)
        return NamedReport(form or ReportFormat.JSON, path)

    def _form(self, word: str, param: click.Parameter | None, ctx: click.Context | None) -> ReportFormat | None:
        """The form of this name; None where it is none, nor meant to be one: then the `=` is one of a path."""
        if not word.isalpha():
            return None
        if word in _FORMS:
            return ReportFormat(word)
        meant = _ENDINGS.get(word.lower()) or next(iter(get_close_matches(word.lower(), _FORMS)), None)
        if meant is not None:
            self.fail(
                f"{word!r} is no form of a report; did you mean {meant}? A file of that name is ./{word}=...",
                param,
                ctx,
            )
        return None


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


patience_options = all_of(
    click.option("--no-wait-for-window", is_flag=True, help="Outside its windows the run ends, to be resumed."),
    click.option(
        "--wait-for-person/--no-wait-for-person",
        default=None,
        help="Where a person must decide the run waits, or ends likewise. Default: it waits where there is a terminal.",
    ),
)


def patience_of(options: JsonObject) -> Patience:
    """What a run waits for, from the values of `patience_options`.

    Whoever pauses a run, or holds a group, knows of it: that is waited out also where no terminal is.
    """
    from runner.run.gate import Patience

    asked = options["wait_for_person"]
    return Patience(
        for_window=not options["no_wait_for_window"],
        for_person=has_terminal() if asked is None else asked,
        for_pause=asked is not False,
    )


def stderr_is_terminal() -> bool:
    """Whether a person watches."""
    return sys.stderr.isatty()


def has_terminal() -> bool:
    """Whether somebody may sit there: one of what is read and what is logged to is a terminal."""
    return stderr_is_terminal() or (sys.stdin is not None and sys.stdin.isatty())


def can_be_drawn_on(environ: Mapping[str, str]) -> bool:
    """Whether stderr is a terminal that has colours, and on which a line can be written anew."""
    return stderr_is_terminal() and environ.get("TERM", "").lower() not in _NO_LIVE_VIEW
