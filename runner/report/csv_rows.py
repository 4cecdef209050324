"""Servers as CSV (RFC 4180): a row each, for a spreadsheet, which must take nothing in it for a formula."""

from __future__ import annotations

import csv
import io
from itertools import islice
from typing import TYPE_CHECKING

from runner.report.all_servers import label_names
from runner.report.csv_text import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runner.report.all_servers import ServerResult
    from runner.report.fold import RunReport

COLUMNS = (
    "server_id", "server_name", "outcome", "wave", "group", "lane", "step", "job_id", "updated_at", "reason",
)  # fmt: skip
"""Before one for each label."""

_AT_ONCE = 500


def csv_pieces(report: RunReport) -> Iterator[bytes]:
    """The table, piece by piece, in UTF-8."""
    servers = report.servers()
    names = label_names(servers)
    yield _lines([(*COLUMNS, *(f"labels.{name}" for name in names))])
    rows = (_row(server, names) for server in servers)
    while some := list(islice(rows, _AT_ONCE)):
        yield _lines(some)


def _row(server: ServerResult, names: list[str]) -> tuple[str | None, ...]:
    outcome = "at_work" if server.at_work else server.outcome
    return (
        server.id,
        server.name,
        outcome,
        server.wave,
        server.group,
        server.lane,
        server.step,
        server.job_id,
        server.updated_at,
        server.why,
        *map(server.labels.get, names),
    )


def _lines(rows: Iterable[tuple[str | None, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(map(harmless, row) for row in rows)
    return text.getvalue().encode()
