"""Logging to stderr: JSON lines for machines, one short line an event for people."""

from __future__ import annotations

import logging
import sys
from functools import cached_property
from typing import TYPE_CHECKING, TextIO, cast

from runner.cli.json_lines import log_stream
from runner.cli.options import stderr_is_terminal
from runner.cli.outlet import Outlet
from runner.plain import one_line

if TYPE_CHECKING:
    import structlog


LONGEST_DRAIN_S = 1.0


class Logs:
    """The log of one command, through structlog, which is loaded for the first line that is really written.

    `form` is `console` or `json`; None picks by the terminal.
    """

    def __init__(self, form: str | None, *, verbose: bool, quiet: bool, color: bool) -> None:
        self._console = (form or ("console" if stderr_is_terminal() else "json")) == "console"
        self._level = logging.DEBUG if verbose else logging.ERROR if quiet else logging.INFO
        self._color = color

    @cached_property
    def _outlet(self) -> Outlet:
        return Outlet(log_stream(sys.stderr))

    def write(self, level: int, what: str, **fields: object) -> None:
        """Write a line, if this command shows lines of that level (as in the logging module)."""
        if level < self._level:
            return
        if self._outlet.missed:
            missed, self._outlet.missed = self._outlet.missed, 0
            self._logger.log(logging.WARNING, "lines are missing here, for nobody read them in time", lines=missed)
        if self._console:  # JSON has it whole, as escapes
            what, fields = one_line(what), {name: _shown(value) for name, value in fields.items()}
        self._logger.log(level, what, **fields)

    def check(self) -> None:
        """Raise what writing failed with, if it did: that is known a moment later."""
        self._outlet.check()

    def drain(self) -> None:
        """Wait a moment for what was written to be out."""
        self._outlet.drain(LONGEST_DRAIN_S)

    @cached_property
    def _logger(self) -> structlog.typing.FilteringBoundLogger:
        import structlog

        # The renderers are named here, because structlog's own choice would load rich's traceback machinery.
        renderer = (
            structlog.dev.ConsoleRenderer(colors=self._color, exception_formatter=structlog.dev.plain_traceback)
            if self._console
            else structlog.processors.JSONRenderer()
        )
        logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
            structlog.PrintLogger(cast("TextIO", self._outlet)),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                renderer,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(self._level),
            cache_logger_on_first_use=True,
        )
        return logger


def _shown(value: object) -> object:
    return one_line(value) if isinstance(value, str) else value
