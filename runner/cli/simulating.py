"""`runner simulate`."""

from __future__ import annotations

from pathlib import Path

import click

from runner.app import simulating
from runner.cli import streams


@click.command("simulate")
@click.option("-b", "--behaviour", type=click.Path(path_type=Path), help="How it behaves: a YAML file.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 picks a free one.")
def simulate_command(behaviour: Path | None, port: int) -> None:
    """Serve a simulated Lite Server API on 127.0.0.1 until interrupted."""
    simulating.serve_simulator(simulating.simulator_behaviour(behaviour, demo=False), port, streams.echo)
