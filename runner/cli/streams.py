"""The program's standard streams. Whatever becomes of them, a run goes on, and ends with its own exit code."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress

import click

from runner.plain import plain

_STANDARD = 3


def prepare() -> None:
    """Have a file behind each of the three, and show characters that a stream does not have as escapes.

    A descriptor that is closed would be given to the next file that is opened, and whoever writes to a standard stream would
    write into that.
    """
    for descriptor in range(_STANDARD):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _nowhere() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.FileIO(os.open(os.devnull, os.O_WRONLY), "w"), encoding="utf-8")


def echo(text: str, *, err: bool = False) -> None:
    """Print lines, on stderr if `err` says so. All that is printed and no JSON goes through here, and so by `plain`."""
    click.echo(plain(text), err=err)


def say(text: str, *, err: bool = False) -> None:
    """Print lines likewise; where nobody takes them, that is no reason to end otherwise."""
    with suppress(OSError):
        echo(text, err=err)


def flush() -> None:
    """Write what is left to write."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
