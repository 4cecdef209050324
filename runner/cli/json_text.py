"""Values as JSON, for machines."""

from __future__ import annotations

import orjson

from runner.cli import streams
from runner.plain import plain_json


def print_json(value: object) -> None:
    """Print a JSON value, indented, as standard output can have it."""
    text = plain_json(orjson.dumps(value, option=orjson.OPT_INDENT_2)).decode()
    streams.echo(streams.fitting_json(text))
