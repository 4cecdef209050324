"""The SQL of the journal, from its files: each query by its name."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

SCHEMA_VERSION = 9
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def schema() -> str:
    """The statements that make the tables."""
    return _text("schema.sql")


def upgrade(version: int) -> str:
    """The statements that bring the tables to `version` from the one before; the rest is done by `upgrading.py`."""
    return _text(f"upgrade-{version}.sql")


@cache
def queries() -> dict[str, str]:
    """Every query of `queries.sql`."""
    parts = _NAME.split(_text("queries.sql"))
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))


def _text(name: str) -> str:
    return resources.files("runner.journal").joinpath(name).read_text(encoding="utf-8")
