"""The forms that a report can have, each made from the same fold."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from runner.report.format_names import ReportFormat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from runner.report.fold import RunReport


class _Maker(NamedTuple):
    module: str
    function: str


# By name, so that only the one asked for is imported.
_MAKERS = {
    ReportFormat.JSON: _Maker("runner.report.files", "ReportPieces"),
    ReportFormat.HTML: _Maker("runner.report.web.document", "web_pieces"),
    ReportFormat.JUNIT: _Maker("runner.report.junit", "junit_pieces"),
    ReportFormat.MARKDOWN: _Maker("runner.report.run_page", "markdown_pieces"),
    ReportFormat.CSV: _Maker("runner.report.csv_rows", "csv_pieces"),
    ReportFormat.PROM: _Maker("runner.report.prometheus", "prometheus_pieces"),
}


class Pieces:
    """A report in a form, piece by piece, made anew each time that it is gone through: it may be hundreds of megabytes."""

    def __init__(self, report: RunReport, form: ReportFormat) -> None:
        self._report = report
        maker = _MAKERS[form]
        self._make: Callable[[RunReport], Iterable[bytes]] = getattr(import_module(maker.module), maker.function)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._make(self._report))
