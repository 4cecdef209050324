"""What pydantic found wrong with the shape of a jobspec, as problems with their places."""

from __future__ import annotations

import inspect
import typing
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from runner.errors import Problem
from runner.spec.document import JobspecDocument
from runner.spec.found import found, in_quotes
from runner.spec.suggest import did_you_mean
from runner.spec.yaml_source import Path, Source, path_text

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

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


def shape_problem(details: ErrorDetails, source: Source) -> Problem:
    """One mistake, with its place in the file."""
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
        hint = in_quotes(details["input"]) if kind == "string_type" else ""
    return Problem(message, source.file, line, column, path_text(path) or None, hint)


def _is_union_member(part: str | int) -> bool:
    return part in {"str", "bool", "int", "float"} or (
        isinstance(part, str) and part.startswith(("function-", "one-of-"))
    )


def _expectation(kind: str, details: ErrorDetails) -> str:
    what = found(details["input"])
    if kind in _EXPECTED:
        return f"{_EXPECTED[kind]}, found {what}"
    if kind == "literal_error":
        return f"expected {details['ctx']['expected']}, found {what}"
    if kind in _COMPARED:
        limit = next(iter(details["ctx"].values()))
        return f"expected {_COMPARED[kind]} {limit:,}, found {what}"
    if kind == "too_short":
        return "expected at least one entry, found none"
    return f"{details['msg']}, found {what}"


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
    inside = (_model_in(argument) for argument in typing.get_args(annotation))
    return next((model for model in inside if model is not None), None)
