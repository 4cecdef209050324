"""The forms that a report can have, by name."""

from __future__ import annotations

from enum import StrEnum


class ReportFormat(StrEnum):
    """What `--report FORMAT=FILE` may say."""

    JSON = "json"
    HTML = "html"
    JUNIT = "junit"
    MARKDOWN = "markdown"
    CSV = "csv"
    PROM = "prom"
