"""The job templates of lanes: read from the service, saved, and found again without the network."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import orjson

from runner.app.fleet_access import FleetAsked
from runner.app.folder import journal_path
from runner.app.kinds import file_name, read_file
from runner.errors import InvalidInput, Problem
from runner.report.times import rfc3339
from runner.settings import NO_STATE_DIR
from runner.spec.job_templates import JobTemplate, as_row, nearest_type, of_type, read_template

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from runner.app.fleet_access import FleetAccess
    from runner.app.host import Host
    from runner.model import JsonObject, Lane
    from runner.plan.plan import Plan

TEMPLATES_VERSION = "runner/templates/v1"
_FOLDER, _KEY = "templates", 16


class SavedTemplates(NamedTuple):
    """The templates of one lane, as they were at `read_at`, epoch seconds. `lane` is its label."""

    lane: str
    read_at: float
    templates: Sequence[JobTemplate]


class Against(NamedTuple):
    """Which templates a jobspec is held against: those the service has now, of a `file`, or that were saved."""

    is_online: bool = False
    file: Path | None = None


OFFLINE = Against()
"""Those that were saved."""


def templates_for(host: Host, plan: Plan, against: Against, access: FleetAccess) -> dict[int, SavedTemplates]:
    """The templates of a plan's lanes, by the lane's place; a lane of which none are known is left out.

    Raises:
        InvalidInput: the file is none.
        ServiceUnusable: the service is to be asked, and cannot be.
    """
    lanes = range(len(plan.lanes))
    if against.file is not None:
        return dict.fromkeys(lanes, templates_of_file(against.file))
    if against.is_online:
        asked = FleetAsked(plan.lanes, rate=plan.watch.rate, timeout_s=plan.submit.timeout_s)
        from runner.app.reading_templates import read_templates  # noqa: PLC0415  as in `inventories`

        return dict(zip(lanes, read_templates(host, asked, access), strict=True))
    found = {place: kept_templates(access, plan.lanes[place]) for place in lanes}
    return {place: saved for place, saved in found.items() if saved is not None}


def save_templates(host: Host, access: FleetAccess, lane: Lane, saved: SavedTemplates) -> Path:
    """Keep the templates of a lane, as it was asked for, in the state folder.

    Raises:
        FileNotWritten: they cannot be.
    """
    path = _path(access.state_dir, lane)
    host.files.write(path, templates_json(saved), private=True)
    return path


def kept_templates(access: FleetAccess, lane: Lane) -> SavedTemplates | None:
    """The templates of a lane that were saved; None: none were, or they cannot be read."""
    if access.state_dir == NO_STATE_DIR:
        return None
    path = _path(access.state_dir, lane)
    try:
        return templates_of_file(path) if path.is_file() else None
    except InvalidInput:
        return None


def _path(state_dir: Path, lane: Lane) -> Path:
    key = hashlib.sha256(orjson.dumps(list(lane))).hexdigest()[:_KEY]
    return journal_path(state_dir).parent / _FOLDER / f"{key}.json"


def templates_json(saved: SavedTemplates) -> bytes:
    """Templates as a file has them."""
    document: JsonObject = {
        "schema_version": TEMPLATES_VERSION,
        "lane": saved.lane,
        "read_at": saved.read_at,
        "templates": [as_row(template) for template in saved.templates],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def templates_of_file(path: Path) -> SavedTemplates:
    """The templates in a file.

    Raises:
        InvalidInput: it cannot be read, or was not written by `runner templates`.
    """
    file = file_name(path)
    try:
        found = orjson.loads(read_file(path, {}))
        if found["schema_version"] != TEMPLATES_VERSION:
            raise ValueError  # noqa: TRY301  as whatever else is no such file
        return SavedTemplates(
            str(found["lane"]), float(found["read_at"]), tuple(map(read_template, found["templates"]))
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        what = f"no file of templates: expected JSON with `schema_version: {TEMPLATES_VERSION}`"
        raise InvalidInput(Problem(what, file, hint="write one: runner templates -o FILE")) from error


def of_kind(saved: SavedTemplates, kind: str) -> Sequence[JobTemplate]:
    """The templates of a type, or of what it stands for.

    Raises:
        InvalidInput: there is none.
    """
    found = of_type(saved.templates, kind)
    if not found:
        hint = nearest_type(saved.templates, kind)
        raise InvalidInput(Problem(f"{saved.lane} has no template of the type {kind}", "command line", hint=hint))
    return found


def only_one(found: Sequence[SavedTemplates]) -> SavedTemplates:
    """The templates of the one lane that a file can be of.

    Raises:
        InvalidInput: there are several.
    """
    if len(found) > 1:
        what = f"a file is of one lane, and there are {', '.join(saved.lane for saved in found)}"
        raise InvalidInput(
            Problem(what, "command line", path="-o", hint="name one: --region, --endpoint, --project-id")
        )
    return found[0]


def as_object(saved: SavedTemplates, templates: Sequence[JobTemplate]) -> JsonObject:
    """Templates of a lane for a machine."""
    return {"lane": saved.lane, "read_at": rfc3339(saved.read_at), "templates": [as_row(one) for one in templates]}
