"""`runner backup`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runner.app import keeping
from runner.cli import streams
from runner.cli.paths import UserPath, state_options
from runner.plain import one_line

if TYPE_CHECKING:
    from pathlib import Path


@click.command("backup")
@click.argument("file", type=UserPath(dir_okay=False, readable=False))
@state_options
def backup_command(file: Path, state_dir: Path) -> None:
    """Copy the journal of every run to FILE, safely, while runs go on.

    To go on from a copy, put it in an empty folder as journal.db. Never while a run of it goes on elsewhere: the two
    would not know of each other.
    """
    runs = keeping.backup(state_dir, file)
    streams.echo(f"backup: {one_line(str(file))} ({runs:,} runs)")
