"""Logging to stderr: JSON lines for machines, one short line an event for people."""

from __future__ import annotations

import logging
import sys

import structlog

from runner.cli.options import stderr_is_terminal


def start_logging(form: str | None, *, verbose: bool, quiet: bool, color: bool) -> None:
    """Set structlog up, once, for this process. `form` is `console` or `json`; None picks by the terminal."""
    console = (form or ("console" if stderr_is_terminal() else "json")) == "console"
    # The renderers are named here, because structlog's own choice would load rich's traceback machinery.
    renderer = (
        structlog.dev.ConsoleRenderer(
            colors=color and stderr_is_terminal(), exception_formatter=structlog.dev.plain_traceback
        )
        if console
        else structlog.processors.JSONRenderer()
    )
    level = logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
