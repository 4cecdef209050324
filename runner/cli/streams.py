"""The program's standard streams. Whatever becomes of them, a command does its work, and ends with its own exit code."""

from __future__ import annotations

import codecs
import errno
import io
import json
import os
import re
import sys
from itertools import islice
from typing import TYPE_CHECKING, TextIO

from runner.cli.descriptors import Forgiving
from runner.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

_STANDARD = 3
_AT_ONCE = 500
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")


def prepare() -> None:
    """Have a file behind each of the three, that never fails, and show characters that a stream does not have as escapes.

    A descriptor that is closed would be given to the next file that is opened, and whoever writes to a standard stream would
    write into that.
    """
    for descriptor in range(_STANDARD):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
    sys.stdout = _forgiving(sys.stdout, 1)
    sys.stderr = _forgiving(sys.stderr, 2)


def _forgiving(stream: TextIO | None, descriptor: int) -> TextIO:
    """The stream of a descriptor, in the encoding that Python found for it; None: it was closed."""
    encoding = "utf-8" if stream is None else stream.encoding
    buffered = io.BufferedWriter(Forgiving(descriptor))
    return io.TextIOWrapper(buffered, encoding, "backslashreplace", line_buffering=True)


def echo(text: str) -> None:
    """Print lines as a result. All that is printed and no bytes goes through here or `say`, and so by `plain`."""
    # Not by click, which takes a stream in ASCII for one in UTF-8.
    sys.stdout.write(f"{plain(text)}\n")
    sys.stdout.flush()


def echo_all(lines: Iterable[str]) -> None:
    """Print lines as a result, many at once."""
    rest = iter(lines)
    while some := list(islice(rest, _AT_ONCE)):
        echo("\n".join(some))


def say(text: str) -> None:
    """Print lines on stderr."""
    sys.stderr.write(f"{plain(text)}\n")
    sys.stderr.flush()


def fitting(text: str, stream: TextIO | None = None) -> str:
    """Text with all that a stream (stdout) does not have as escapes, for what is aligned must know how long it is."""
    encoding = (stream or sys.stdout).encoding
    return text if text.isascii() else text.encode(encoding, "backslashreplace").decode(encoding)


def fitting_json(text: str) -> str:
    """JSON likewise, with its own escapes, wherever stdout is not in UTF-8: programs take it for that."""
    if text.isascii() or codecs.lookup(sys.stdout.encoding).name == "utf-8":
        return text
    return _BEYOND_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], text)


def settle(stdout: TextIO) -> None:
    """Write what is left to write, and say if results were lost. That changes no exit code: what was done is done."""
    stdout.flush()
    sys.stderr.flush()
    raw = getattr(getattr(stdout, "buffer", None), "raw", None)
    lost = raw.lost if isinstance(raw, Forgiving) else None
    if lost is not None and lost.errno != errno.EPIPE:  # who closes a pipe has read enough
        say(
            f"error: the output could not be written: {lost.strerror}\n"
            "  what the command does is done all the same, and its exit code is its own"
        )
