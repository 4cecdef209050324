"""Standard error as JSON: with `--log-format json`, whatever anybody writes there is an object a line.

Not only the program itself does: so do Python with its warnings, libraries, and threads that end by an error.
"""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_OPTION = "--log-format"
_WARNING = re.compile(r"warning: |\S+: \w*Warning: ")
_PREFIX = re.compile(r"\A(?:error|warning): ")


class JsonLines(io.TextIOBase):
    """Writes each text that ends a line as one object, as the log has them, to the stream `beneath`.

    `wall` is a clock, epoch seconds.
    """

    def __init__(self, beneath: TextIO, wall: Callable[[], float]) -> None:
        self.beneath = beneath
        self._wall = wall
        self._begun = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]  # it is one in Python, too
        """That of the stream."""
        return self.beneath.encoding

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self.beneath.isatty()

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str, /) -> int:
        """Take text; what has come to the end of a line goes out."""
        whole, newline, self._begun = (self._begun + text).rpartition("\n")
        if newline and whole.strip():
            self._put(whole)
        return len(text)

    def flush(self) -> None:
        """Have the stream write what has come to the end of a line. One that was closed first has nothing left to write."""
        if not self.beneath.closed:
            self.beneath.flush()

    def finish(self) -> None:
        """Put out what never came to the end of its line."""
        if self._begun.strip():
            self.write("\n")

    def _put(self, text: str) -> None:
        level = "warning" if _WARNING.match(text) else "error"
        event = _PREFIX.sub("", text.strip("\n"))
        now = datetime.fromtimestamp(self._wall(), UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        self.beneath.write(json.dumps({"event": event, "level": level, "timestamp": now}) + "\n")


def log_stream(stderr: TextIO) -> TextIO:
    """Where the log goes, whose lines are JSON already."""
    return stderr.beneath if isinstance(stderr, JsonLines) else stderr


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether a command line has `--log-format json`: known before it is parsed, for it may be wrong elsewhere."""
    form = ""
    for argument, following in pairwise([*arguments, ""]):
        if argument == "--":
            break
        if argument == _OPTION:
            form = following
        elif argument.startswith(f"{_OPTION}="):
            form = argument.partition("=")[2]
    return form == "json"
