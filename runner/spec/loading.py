"""A jobspec's text to a `Campaign`, or all that is wrong with it at once."""

from __future__ import annotations

import inspect
import typing
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from runner.errors import InvalidInput, Problem
from runner.spec.campaign import Campaign, GroupSpec, ItemSpec, LaneSpec, Place, StepSpec, Submit, Template, Watch
from runner.spec.checks import check
from runner.spec.document import GroupDocument, JobspecDocument, LaneDocument, StepDocument
from runner.spec.placing import place_of, template_of, tree_of
from runner.spec.quantities import parse_duration, parse_rate
from runner.spec.rollout.loading import load_rollout
from runner.spec.suggest import did_you_mean
from runner.spec.variables import jobspec_name_problems
from runner.spec.yaml_source import Path, Source, path_text, read_yaml

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from runner.model import JsonMapping


def load_campaign(text: str, file: str) -> Campaign:
    """Read a jobspec.

    Raises:
        InvalidInput: with every problem of the file, in the order of its lines.
    """
    source = read_yaml(text, file)
    if not isinstance(source.data, dict):
        raise InvalidInput(
            Problem("a jobspec is a mapping of keys such as `name`, `groups` and `steps`", file=file, line=1)
        )
    try:
        document = JobspecDocument.model_validate(source.data)
    except ValidationError as error:
        raise InvalidInput(*_in_order(_problem(details, source) for details in error.errors())) from error
    campaign = _Builder(source).campaign(document)
    problems = [*jobspec_name_problems(source), *check(campaign)]
    if problems:
        raise InvalidInput(*_in_order(problems))
    return campaign


def _in_order(problems: typing.Iterable[Problem]) -> list[Problem]:
    unique = {(p.line, p.column, p.message): p for p in problems}
    return sorted(unique.values(), key=lambda p: (p.line or 0, p.column or 0))


def _problem(details: ErrorDetails, source: Source) -> Problem:
    # A union adds the name of the member that was tried to the place: those parts are not in the file.
    path: Path = tuple(part for part in details["loc"] if not _is_union_member(part))
    kind, message, hint = details["type"], details["msg"], ""
    line, column = source.position(path)
    if kind == "extra_forbidden":
        line, column = source.key_positions.get(path, (line, column))
        message = f"unknown key `{path[-1]}`"
        hint = did_you_mean(str(path[-1]), _keys_at(path[:-1]))
        path = path[:-1]
    elif kind == "missing":
        message = f"the key `{path[-1]}` is missing"
        path = path[:-1]
    elif kind == "value_error":
        message = message.removeprefix("Value error, ")
    else:
        message = _expectation(kind, details)
    return Problem(message, source.file, line, column, path_text(path) or None, hint)


def _is_union_member(part: str | int) -> bool:
    return part in {"str", "bool", "int", "float"} or (
        isinstance(part, str) and part.startswith(("function-", "one-of-"))
    )


_EXPECTED = {
    "string_type": "expected text",
    "int_type": "expected a whole number",
    "bool_type": "expected true or false",
    "float_type": "expected a number",
    "list_type": "expected a list",
    "dict_type": "expected a mapping",
    "model_type": "expected a mapping",
}


_COMPARED = {
    "greater_than_equal": "at least",
    "less_than_equal": "at most",
    "greater_than": "more than",
    "less_than": "less than",
}


def _expectation(kind: str, details: ErrorDetails) -> str:
    found = _describe(details["input"])
    if kind in _EXPECTED:
        expected = "expected text, a number or a boolean" if "spec" in details["loc"] else _EXPECTED[kind]
        return f"{expected}, found {found}"
    if kind == "literal_error":
        return f"expected {details['ctx']['expected']}, found {found}"
    if kind in _COMPARED:
        limit = next(iter(details["ctx"].values()))
        return f"expected {_COMPARED[kind]} {limit:,}, found {found}"
    if kind == "too_short":
        return "expected at least one entry, found none"
    return f"{details['msg']}, found {found}"


def _describe(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case bool():
            return "true" if value else "false"
        case str():
            return f"the text {value!r}"
        case _:
            return f"the number {value}"


def _keys_at(path: Path) -> list[str]:
    """The keys that the model at a path knows."""
    model: Any = JobspecDocument
    for part in path:
        if isinstance(part, int):
            continue
        model = _model_in(model.model_fields[part].annotation) if part in model.model_fields else None
        if model is None:
            return []
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401  a type hint of any form
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(argument) for argument in typing.get_args(annotation))
    return next((model for model in found if model is not None), None)


class _Builder:
    """Makes typed values of a checked document, each with its place in the file."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def campaign(self, document: JobspecDocument) -> Campaign:
        submit, watch = document.submit, document.watch
        return Campaign(
            name=document.name,
            file=self._source.file,
            source=self._source.text,
            description=self._maybe(document.description, ("description",)),
            vars=self._variables(document.vars, ("vars",)),
            inventory=self._maybe(document.inventory, ("inventory",)),
            lane=self._lane(document.lane, ("lane",)),
            groups=tuple(self._group(group, ("groups", index)) for index, group in enumerate(document.groups)),
            steps=tuple(self._step(step, ("steps", index)) for index, step in enumerate(document.steps)),
            submit=Submit(
                rate=parse_rate(submit.rate) or 0.0,
                burst=submit.burst,
                concurrency=submit.concurrency,
                timeout_s=parse_duration(submit.timeout) or 0.0,
                attempts=submit.attempts,
                settle_s=parse_duration(submit.settle) or 0.0,
                outage_s=parse_duration(submit.outage) or 0.0,
                longest_pause_s=parse_duration(submit.longest_pause) or 0.0,
            ),
            watch=Watch(rate=parse_rate(watch.rate) or 0.0, job_timeout_s=parse_duration(watch.job_timeout) or 0.0),
            rollout=None if document.rollout is None else load_rollout(document.rollout, self._source),
        )

    def _group(self, group: GroupDocument, path: Path) -> GroupSpec:
        servers = group.servers
        return GroupSpec(
            name=group.name,
            place=self._place((*path, "name")),
            select=self._maybe(group.select, (*path, "select")),
            servers=None
            if servers is None
            else tuple(self._template(text, (*path, "servers", index)) for index, text in enumerate(servers)),
            split_by=self._maybe(group.split_by, (*path, "split_by")),
            vars=self._variables(group.vars, (*path, "vars")),
            lane=self._lane(group.lane, (*path, "lane")),
        )

    def _step(self, step: StepDocument, path: Path) -> StepSpec:
        return StepSpec(
            name=step.name,
            place=self._place((*path, "name")),
            type=self._template(step.type, (*path, "type")),
            job_name=self._template(step.job_name, (*path, "job_name")),
            items=tuple(
                ItemSpec(
                    type=self._template(item.type, (*path, "items", index, "type")),
                    spec={
                        key: self._template(value, (*path, "items", index, "spec", key))
                        for key, value in item.spec.items()
                    },
                    place=self._place((*path, "items", index)),
                )
                for index, item in enumerate(step.items)
            ),
            servers_per_job=step.servers_per_job,
            job_description=self._maybe(step.job_description, (*path, "job_description")),
            is_reboot=step.is_reboot,
            expected_duration_s=None if step.expected_duration is None else parse_duration(step.expected_duration),
        )

    def _lane(self, lane: LaneDocument, path: Path) -> LaneSpec:
        return LaneSpec(
            region=self._maybe(lane.region, (*path, "region")),
            endpoint=self._maybe(lane.endpoint, (*path, "endpoint")),
            project_id=self._maybe(lane.project_id, (*path, "project_id")),
        )

    def _variables(self, values: JsonMapping, path: Path) -> dict[str, object]:
        return {key: tree_of(self._source, value, (*path, key)) for key, value in values.items()}

    def _maybe(self, value: str | None, path: Path) -> Template | None:
        return None if value is None else self._template(value, path)

    def _template(self, value: str | float | bool | None, path: Path) -> Template:  # noqa: FBT001  any YAML scalar
        return template_of(self._source, value, path)

    def _place(self, path: Path) -> Place:
        return place_of(self._source, path)
