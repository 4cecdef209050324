"""What a person sees while servers are listed: on a terminal each tenth of them."""

from __future__ import annotations

from runner.cli import streams
from runner.cli.options import stderr_is_terminal
from runner.plain import one_line

_PARTS = 10
_FEW = 2_000


class FleetProgress:
    """Says how far the reading of a list is, and what came of it."""

    def __init__(self, *, is_quiet: bool) -> None:
        self._is_quiet = is_quiet
        self._shown = 0

    def tell(self, text: str) -> None:
        """Say how old a list is."""
        if not self._is_quiet:
            streams.say(one_line(text))

    def progress(self, lane: str, shown: int, total: int) -> None:
        """So many servers of a lane were read."""
        part = shown * _PARTS // max(1, total)
        if self._is_quiet or total < _FEW or part == self._shown or not stderr_is_terminal():
            return
        self._shown = part
        streams.say(one_line(f"{lane}: {shown:,} of {total:,} servers"))
