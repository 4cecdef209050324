"""`runner completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from runner.cli import streams


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print the completion script: `eval "$(runner completion bash)"` in your shell's start-up file."""
    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"no completion for {shell}")
    root = click.get_current_context().find_root().command
    streams.echo(completion(root, {}, "runner", "_RUNNER_COMPLETE").source())
