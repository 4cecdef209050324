"""The SQL of the journal, from its files: each query by its name."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

SCHEMA_VERSION = 2
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def schema() -> str:
    """The statements that make the tables."""
    return _text("schema.sql")


def upgrade_to_2() -> str:
    """The statements that bring the tables of version 1 up to date, but for the hashes of entries."""
    return _text("upgrade-2.sql")


@cache
def queries() -> dict[str, str]:
    """Every query of `queries.sql`."""
    parts = _NAME.split(_text("queries.sql"))
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))


def _text(name: str) -> str:
    return resources.files("runner.journal").joinpath(name).read_text(encoding="utf-8")
