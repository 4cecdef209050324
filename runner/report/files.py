"""A report as a file has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from runner.plain import plain_json

if TYPE_CHECKING:
    from runner.report.fold import Report


def report_to_json(report: Report) -> bytes:
    """A report as JSON."""
    return plain_json(orjson.dumps(report, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
