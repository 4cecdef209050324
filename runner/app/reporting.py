"""Where the reports of a run go: the state folder, files that are part of the run, streams of one process."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import orjson

from runner.errors import InvalidInput, Problem
from runner.files.places import FileNotWritten, Kind, target_of
from runner.files.writing import check, write
from runner.plain import is_text, plain
from runner.report.format_names import ReportFormat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runner.app.history import StoredRun
    from runner.app.host import Files
    from runner.files.writing import Data
    from runner.journal.store import RunRow


class NamedReport(NamedTuple):
    """A report that is asked for: in which form, and where."""

    form: ReportFormat
    path: Path


class ReportPlaces(NamedTuple):
    """What `--report` says. `kept` have absolute paths, and are part of the run: whoever goes on with it writes them, too.

    `streams` are standard output or others that this process was started with, and no other process has.
    """

    kept: tuple[NamedReport, ...] = ()
    streams: tuple[NamedReport, ...] = ()


NOT_NAMED = ReportPlaces()


def report_places(files: Sequence[NamedReport]) -> ReportPlaces:
    """Where reports are to go, as a person named it from this folder.

    Raises:
        FileNotWritten: it is a folder, a stream that is closed, or the like.
        InvalidInput: a path cannot be kept, or two reports would go to the same place.
    """
    kept, streams = [], []
    for file in files:
        if target_of(file.path).is_of_process:
            check(file.path, must_arrive=True)
            streams.append(file)
        else:
            kept.append(file._replace(path=_keepable(file.path)))
    _refuse_twice(file.path for file in [*kept, *streams])
    return ReportPlaces(tuple(kept), tuple(streams))


def _keepable(path: Path) -> Path:
    kept = path.absolute()
    if not is_text(str(kept)):
        what = f"{plain(str(kept))!r} is not UTF-8, and the path of a report is kept with its run"
        raise InvalidInput(Problem(what, path="--report", hint="name it from another folder"))
    return kept


def _refuse_twice(paths: Iterable[Path]) -> None:
    ends = Counter(map(_end, paths))
    for end, times in ends.items():
        if times > 1:
            what = f"{plain(end)} is named {times} times: one report would be written over the other"
            raise InvalidInput(Problem(what, path="--report", hint="give each a file of its own"))


def _end(path: Path) -> str:
    target = target_of(path)
    if target.kind is Kind.STDOUT:
        return "standard output"
    return str(target.path if target.kind is not Kind.DESCRIPTOR else target.descriptor)


def places_to_text(places: Sequence[NamedReport]) -> str | None:
    """Places as the store keeps them with a run: the path alone of one report as JSON, else a JSON list of pairs."""
    if not places:
        return None
    if len(places) == 1 and places[0].form is ReportFormat.JSON:
        return str(places[0].path)
    return orjson.dumps([[file.form.value, str(file.path)] for file in places]).decode()


def places_from_text(text: str | None) -> tuple[NamedReport, ...]:
    """What `places_to_text` made."""
    if text is None:
        return ()
    if not text.startswith("["):  # a path is absolute
        return (NamedReport(ReportFormat.JSON, Path(text)),)
    return tuple(NamedReport(ReportFormat(form), Path(path)) for form, path in orjson.loads(text))


class LateReport(NamedTuple):
    """A stream that is still to be written, and what goes there."""

    file: NamedReport
    data: Data


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """Reports that are in files: `path` is that of the JSON, None if it could be written nowhere.

    `others` are in other forms, or further files. `problem` is what a person should know. `streams` are still to be
    written, once nothing is lost by it should nobody read them.
    """

    path: Path | None
    problem: str = ""
    streams: Sequence[LateReport] = ()
    others: Sequence[NamedReport] = ()


def write_report(files: Files, stored: StoredRun, streams: Sequence[NamedReport]) -> WrittenReport:
    """Write the reports of a run to its files; the JSON first, and to the state folder where it has no file that can be."""
    places = list(dict.fromkeys([*stored.kept, *streams]))
    late = [place for place in places if files.is_stream(place.path)]
    early = [place for place in places if place not in late]
    problems: list[str] = []
    written = _written(files, stored, [place for place in early if place.form is ReportFormat.JSON], problems)
    path = written[0].path if written else _in_state_folder(files, stored, problems)
    others = _written(files, stored, [place for place in early if place.form is not ReportFormat.JSON], problems)
    told = [LateReport(place, stored.report_pieces(place.form)) for place in late]
    return WrittenReport(path, "; ".join(problems), told, [*written[1:], *others])


def _written(files: Files, stored: StoredRun, places: Sequence[NamedReport], problems: list[str]) -> list[NamedReport]:
    """Those that could be written; what a person should know of the others is added to `problems`."""
    written = []
    for place in places:
        try:
            files.write(place.path, stored.report_pieces(place.form))
            written.append(place)
        except FileNotWritten as error:
            again = f", and `{_again(place.form, stored.row['id'])}` writes it again"
            problems.append(error.message + ("" if place.form is ReportFormat.JSON else again))
    return written


def _again(form: ReportFormat, run_id: str) -> str:
    option = "" if form is ReportFormat.JSON else f" --format {form}"
    return f"runner report {run_id}{option} -o FILE"


def _in_state_folder(files: Files, stored: StoredRun, problems: list[str]) -> Path | None:
    """Where the report ends up; what a person should know of it is added to `problems`."""
    default = stored.default_path
    try:
        files.write(default, stored.report_pieces(), private=True)
    except FileNotWritten as error:
        hint = f"nothing is lost: once there is room, `{_again(ReportFormat.JSON, stored.row['id'])}`"
        problems += [error.message, hint]
        return None
    if problems:
        problems.append(f"the report is in {default}")
    return default


def write_streams(written: WrittenReport, run_id: str) -> Iterator[str]:
    """Write reports into their streams; yield what a person should know."""
    for stream, data in written.streams:
        try:
            write(stream.path, data, must_arrive=True)
        except FileNotWritten as error:
            yield f"{error.message}; {_elsewhere(written, stream.form, run_id)}"
        except KeyboardInterrupt:
            what = f"interrupted while the report was written to {stream.path}"
            yield f"{what}; {_elsewhere(written, stream.form, run_id)}"


def _elsewhere(written: WrittenReport, form: ReportFormat, run_id: str) -> str:
    again = f"`{_again(form, run_id)}` writes it again"
    return again if written.path is None else f"the report is in {written.path}, and {again}"


def trouble_with(files: Files, row: RunRow) -> str:
    """What is wrong with the places where reports of a run that goes on are to be written; empty if nothing is."""
    try:
        for place in places_from_text(row.report):
            files.check(place.path)
    except FileNotWritten as error:
        return f"{error.message}; it is the place for this run's report: name another with --report"
    return ""
