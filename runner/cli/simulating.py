"""`runner simulate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runner.app import simulating
from runner.cli import streams
from runner.cli.paths import UserPath

if TYPE_CHECKING:
    from pathlib import Path


@click.command("simulate")
@click.option("-b", "--behaviour", type=UserPath(), help="How it behaves: a YAML file.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 picks a free one.")
def simulate_command(behaviour: Path | None, port: int) -> None:
    """Serve a simulated Lite Server API on 127.0.0.1 until interrupted."""
    simulating.serve_simulator(simulating.simulator_behaviour(behaviour, demo=False), port, streams.echo)
