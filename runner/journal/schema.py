"""The JSON Schema of an event in the journal."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import TypeAdapter

from runner.run.events import Event


def event_schema() -> dict[str, Any]:
    """One event as an entry of the journal holds it: its kind, and its data by kind."""
    definitions: dict[str, Any] = {}
    choices = []
    for kind in get_args(Event):
        data = TypeAdapter(kind).json_schema(ref_template="#/$defs/{model}")
        definitions |= data.pop("$defs", {})
        choices.append({"properties": {"kind": {"const": kind.kind}, "data": data}})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "event",
        "type": "object",
        "required": ["kind", "data"],
        "additionalProperties": False,
        "properties": {"kind": {"type": "string"}, "data": {"type": "object"}},
        "oneOf": choices,
        "$defs": definitions,
    }
