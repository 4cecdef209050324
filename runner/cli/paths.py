"""Paths as people give them: `~` is the home folder also where no shell wrote it out, and an empty one is a mistake.

`--report=~/r.json`, a variable of cron or of systemd: none of them is seen by a shell that would do it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.arguments import why_no_text
from runner.errors import InvalidInput, Problem
from runner.plain import is_text
from runner.settings import NO_STATE_DIR, default_state_dir

if TYPE_CHECKING:
    from collections.abc import Callable

    Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_STATE_VARIABLE = "RUNNER_STATE_DIR"


class UserPath(click.Path):
    """A path that is given on the command line, as a `Path`; options as those of `click.Path`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(path_type=Path, **options)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401  likewise
        """The path, with the home folder in it written out."""
        text = os.fspath(value)
        if not text.strip():
            self.fail("is empty; expected a path", param, ctx)
        if isinstance(text, str) and text.startswith("~"):
            text = os.path.expanduser(text)  # noqa: PTH111  that of Path raises where there is no home
            if text.startswith("~"):
                self.fail(f"{value!r}: no home folder is known for it; give the whole path", param, ctx)
        return super().convert(text, param, ctx)


def _state_dir(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path:
    """The state folder, whole: what it means must not depend on where somebody stands."""
    source = ctx.get_parameter_source(param.name or "")
    if source is click.core.ParameterSource.DEFAULT and _STATE_VARIABLE in os.environ:
        raise _misleading("is set, and empty", "set it to a folder, or unset it for the user's own state folder")
    if value is None:
        return NO_STATE_DIR
    if not is_text(str(value)):
        raise click.BadParameter(why_no_text(str(value)), ctx, param)
    if source is click.core.ParameterSource.ENVIRONMENT and not value.is_absolute():
        raise _misleading(
            f"{str(value)!r} is another folder wherever one stands, and runs of two folders do not know of each other",
            f"set it to a whole path, such as {_whole(value, ctx, param)}",
        )
    return _whole(value, ctx, param)


def _misleading(what: str, hint: str) -> InvalidInput:
    return InvalidInput(Problem(what, "environment", path=_STATE_VARIABLE, hint=hint))


def _whole(path: Path, ctx: click.Context, param: click.Parameter) -> Path:
    try:
        return path.absolute()
    except OSError as error:
        what = f"'{path}' is in the folder where the command is given, and that is gone"
        raise click.BadParameter(what, ctx, param) from error


def _state_dir_if_any(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path:
    """The same, for commands that mostly need none: a variable that is wrong is no matter until they do."""
    try:
        return _state_dir(ctx, param, value)
    except InvalidInput:
        return NO_STATE_DIR


def _state_option(callback: Callable[[click.Context, click.Parameter, Path | None], Path], what: str) -> Decorator:
    return click.option(
        "--state-dir",
        type=UserPath(file_okay=False, readable=False),
        envvar=_STATE_VARIABLE,
        default=default_state_dir,
        callback=callback,
        show_default="the user's state folder",
        show_envvar=True,
        help=f"Where {what} are kept.",
    )


state_options = _state_option(_state_dir, "journals and reports")
list_folder_option = _state_option(_state_dir_if_any, "lists of servers and templates")
