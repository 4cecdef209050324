"""Where the report of a run goes: the state folder, a file that is part of the run, a stream of one process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from runner.errors import InvalidInput, Problem
from runner.files.places import FileNotWritten, target_of
from runner.files.writing import check, write
from runner.plain import is_text, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.app.history import StoredRun
    from runner.app.host import Files
    from runner.files.writing import Data
    from runner.journal.store import RunRow


class ReportPlace(NamedTuple):
    """What `--report` says. `kept` is an absolute path, which is part of the run: whoever goes on with it writes it, too.

    `stream` is standard output or another stream that this process was started with, and no other process has.
    """

    kept: Path | None = None
    stream: Path | None = None


NOT_NAMED = ReportPlace()


def report_place(path: Path | None) -> ReportPlace:
    """Where a report is to go, as a person named it from this folder.

    Raises:
        FileNotWritten: it is a folder, a stream that is closed, or the like.
        InvalidInput: the path cannot be kept.
    """
    if path is None:
        return NOT_NAMED
    if target_of(path).is_of_process:
        check(path, must_arrive=True)
        return ReportPlace(stream=path)
    kept = path.absolute()
    if not is_text(str(kept)):
        what = f"{plain(str(kept))!r} is not UTF-8, and the path of a report is kept with its run"
        raise InvalidInput(Problem(what, path="--report", hint="name it from another folder"))
    return ReportPlace(kept=kept)


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """A report that is in a file: `path`, None if it could be written nowhere. `problem` is what a person should know.

    `streams` are still to be written, once nothing is lost by it should nobody read them. `data` is for these: it is large.
    """

    path: Path | None
    problem: str = ""
    streams: Sequence[Path] = ()
    data: Data = b""


def write_report(files: Files, stored: StoredRun, stream: Path | None) -> WrittenReport:
    """Write a report to the file of its run, or, where it has none or that cannot be, to the state folder."""
    data, default = stored.report_pieces(), stored.default_path
    places = list(dict.fromkeys(place for place in (stored.kept_path, stream) if place is not None))
    streams = [place for place in places if files.is_stream(place)]
    problem = ""
    for path in [*(place for place in places if place not in streams), default]:
        try:
            files.write(path, data, private=path == default)
        except FileNotWritten as error:
            problem += f"{error.message}; "
        else:
            said = f"{problem}the report is in {path}" if problem else ""
            return WrittenReport(path, said, streams, data if streams else b"")
    hint = f"nothing is lost: once there is room, `runner report {stored.row['id']} -o FILE`"
    return WrittenReport(None, problem + hint, streams, data if streams else b"")


def write_streams(written: WrittenReport, run_id: str) -> Iterator[str]:
    """Write a report into its streams; yield what a person should know."""
    for stream in written.streams:
        try:
            write(stream, written.data, must_arrive=True)
        except FileNotWritten as error:
            yield f"{error.message}; {_elsewhere(written, run_id)}"
        except KeyboardInterrupt:
            yield f"interrupted while the report was written to {stream}; {_elsewhere(written, run_id)}"


def _elsewhere(written: WrittenReport, run_id: str) -> str:
    again = f"`runner report {run_id} -o FILE` writes it again"
    return again if written.path is None else f"the report is in {written.path}, and {again}"


def trouble_with(files: Files, row: RunRow) -> str:
    """What is wrong with the place where the report of a run that goes on is to be written; empty if nothing is."""
    if row.report is None:
        return ""
    try:
        files.check(Path(row.report))
    except FileNotWritten as error:
        return f"{error.message}; it is the place for this run's report: name another with --report"
    return ""
