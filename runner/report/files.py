"""A report as a file has it."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import orjson

from runner.plain import plain_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.report.fold import Report, RunReport

_AS_FILE = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
_JOBS_AT_ONCE = 20
# What is around jobs where they are the last part of an object.
_NONE, _BEFORE, _BETWEEN, _AFTER = b"[]\n}\n", b"[\n", b",\n", b"\n  ]\n}\n"
_OPENING = b'{\n  "jobs": [\n'


def report_to_json(report: Report) -> bytes:
    """A report as JSON."""
    return plain_json(orjson.dumps(report, option=_AS_FILE))


class ReportPieces:
    """The same, piece by piece, each time that it is gone through: of a large fleet it is hundreds of megabytes."""

    def __init__(self, report: RunReport) -> None:
        self._report = report

    def __iter__(self) -> Iterator[bytes]:
        yield report_to_json({**self._report.head, "jobs": []}).removesuffix(_NONE)
        jobs, before = self._report.jobs(), _BEFORE
        while some := list(islice(jobs, _JOBS_AT_ONCE)):
            yield before
            yield report_to_json({"jobs": some})[len(_OPENING) : -len(_AFTER)]
            before = _BETWEEN
        yield _NONE if before is _BEFORE else _AFTER
