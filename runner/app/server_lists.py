"""Lists of servers in files, for `--limit @FILE`: ids and names, one a line, or the servers of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import orjson

from runner.errors import InvalidInput, Problem
from runner.model import Outcome
from runner.spec.campaign import Place, Template
from runner.spec.ranges import RangeError, expand_ranges

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runner.model import JsonMapping

_REPORT = "runner/report/"


class ServerNames(NamedTuple):
    """Ids and names, each with where it was written. `warning` is what a person should know of the list, if anything."""

    names: Mapping[str, Template]
    warning: str = ""


def server_names(data: bytes, file: str) -> ServerNames:
    """The servers that a file lists; `#` begins a remark, and a name may have ranges, as in `servers:`.

    Raises:
        InvalidInput: it lists none, or is not of that form.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidInput(Problem("not UTF-8", file, line, hint="save the file as UTF-8")) from error
    found = _of_report(text, file) if text.lstrip()[:1] in {"{", "["} else ServerNames(_of_lines(text, file))
    if not found.names:
        raise InvalidInput(Problem("it lists no server", file, hint="write ids or names, one a line"))
    return found


def _of_lines(text: str, file: str) -> dict[str, Template]:
    names: dict[str, Template] = {}
    problems: list[Problem] = []
    for number, line in enumerate(text.splitlines(), 1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        template = Template(entry, Place(file, number, 1, "--limit"))
        try:
            for name in expand_ranges(entry):
                names.setdefault(name, template)
        except RangeError as error:
            problems.append(Problem(str(error), file, number))
    if problems:
        raise InvalidInput(*problems)
    return names


def _of_report(text: str, file: str) -> ServerNames:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(Problem(f"not valid JSON: {error.msg}", file, error.lineno, error.colno)) from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if not isinstance(version, str) or not version.startswith(_REPORT):
        raise InvalidInput(Problem("JSON, and no report of a run", file, hint="write ids or names, one a line"))
    succeeded: dict[str, bool] = {}
    for server_id, outcome in _outcomes(document):
        succeeded[server_id] = succeeded.get(server_id, True) and outcome == Outcome.SUCCEEDED
    place = Place(file, 1, 1, "--limit")
    names = {server_id: Template(server_id, place) for server_id in succeeded}
    return ServerNames(names, _of_those_that_are_done(succeeded, document, file))


def _outcomes(report: JsonMapping) -> Iterator[tuple[str, str]]:
    """The servers of all jobs of a report, each with what became of it there."""
    try:
        for job in report["jobs"]:
            yield from ((task["server_id"], task["outcome"]) for task in job["tasks"])
    except (KeyError, TypeError):
        return  # such a report lists no server


def _of_those_that_are_done(succeeded: Mapping[str, bool], report: JsonMapping, file: str) -> str:
    done = sum(succeeded.values())
    if not done:
        return ""
    return (
        f"--limit @{file}: all {len(succeeded):,} servers of the report, {done:,} of which succeeded; "
        f"`runner retry {report['run']['id']}` does only those that did not"
    )
