"""The tables of docs/jobspec.md, made from the models: `python -m tests.jobspec_document` writes them anew (`make documents`)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.spec.document import jobspec_schema

DOCUMENT = Path(__file__).parents[1] / "docs" / "jobspec.md"
MARK = "<!-- From here on made from the models: make documents -->\n"

KINDS = {
    "duration": ("duration", "ms, s, m, h or d"),
    "rate": ("rate, or `unlimited`", "per s, m or h"),
    "percentage": ("percentage", "%"),
    "limit": ("whole number, or percentage", "servers, or % of them"),
    "limit or whole": ("whole number, percentage, or `whole`", "servers, or % of them"),
    "size": ("whole number, percentage, or `rest`", "servers, or % of those left"),
    "size but rest": ("whole number, or percentage", "servers, or % of the entry's"),
    "name": ("name", ""),
}
WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "mapping",
}
Schema = Mapping[str, Any]


def tables() -> str:
    """One table for each mapping of a jobspec, in the order in which they are first named."""
    schema = jobspec_schema()
    places = {"": ""}  # by name of the model, which is "" for the file itself
    waiting = [""]
    while waiting:
        model = waiting.pop(0)
        for key, value in _part(schema, model)["properties"].items():
            several = len(list(_mappings(value))) > 1
            for name, suffix in _mappings(value):
                if name not in places:
                    first = next(iter(_part(schema, name)["properties"]))
                    places[name] = f"{places[model]}.{key}{suffix}".lstrip(".") + (f" with {first}" if several else "")
                    waiting.append(name)
    return "\n".join(_table(place, _part(schema, name), places) for name, place in places.items())


def _part(schema: Schema, name: str) -> Schema:
    part: Schema = schema["$defs"][name] if name else schema
    return part


def _table(place: str, part: Schema, places: Mapping[str, str]) -> str:
    lines = [f"## `{place}`" if place else "## The file", "", " ".join(part["description"].split()), ""]
    lines += ["| key | type | unit | default | meaning |", "|---|---|---|---|---|"]
    for key, value in part["properties"].items():
        cells = (f"`{key}`", _type(value, places), _unit(value), _default(key, part), _meaning(value))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, ""])


def _meaning(value: Schema) -> str:
    examples = [f"`{json.dumps(example)}`" for example in value.get("examples", ())]
    return str(value["description"]) + (f" For example {', '.join(examples)}." if examples else "")


def _mappings(value: Schema) -> Iterator[tuple[str, str]]:
    """The mappings that a value may be, or hold: each with what is added to the key in a path."""
    if "$ref" in value:
        yield value["$ref"].rsplit("/", 1)[1], ""
    for choice in _choices(value):
        yield from _mappings(choice)
    if "items" in value:
        yield from ((name, f"[]{suffix}") for name, suffix in _mappings(value["items"]))


def _choices(value: Schema) -> list[Schema]:
    return [*value.get("anyOf", ()), *value.get("oneOf", ())]


def _type(value: Schema, places: Mapping[str, str]) -> str:
    if "x-kind" in value:
        return KINDS[value["x-kind"]][0]
    if "$ref" in value:
        return f"mapping: `{places[value['$ref'].rsplit('/', 1)[1]]}`"
    if "const" in value or "enum" in value:
        return ", ".join(f"`{word}`" for word in value.get("enum", [value.get("const")]))
    choices = [_type(choice, places) for choice in _choices(value) if choice.get("type") != "null"]
    if choices:
        kinds = [kind for kind in choices if not (kind == "whole number" and "number" in choices)]
        return ", or ".join(kinds) + _bounds(value)
    return _container(value, places) or WORDS[value["type"]] + _bounds(value)


def _container(value: Schema, places: Mapping[str, str]) -> str:
    if value["type"] == "array":
        return f"list of: {_type(value['items'], places)}"
    if isinstance(value.get("additionalProperties"), dict):
        return f"mapping of text to: {_type(value['additionalProperties'], places)}"
    return ""


def _bounds(value: Schema) -> str:
    low, high = value.get("minimum"), value.get("maximum", value.get("le"))
    above = value.get("exclusiveMinimum", value.get("gt"))
    words = [f"from {low:,}"] if low is not None else [f"above {above:,}"] if above is not None else []
    words += [f"to {high:,}"] if high is not None else []
    return ", " + " ".join(words) if words else ""


def _unit(value: Schema) -> str:
    if "x-unit" in value:
        return str(value["x-unit"])
    if "x-kind" in value:
        return KINDS[value["x-kind"]][1]
    inside = [*_choices(value), value.get("items"), value.get("additionalProperties")]
    units = [_unit(part) for part in inside if isinstance(part, dict)]
    return next(filter(None, units), "")


def _default(key: str, part: Schema) -> str:
    if key in part.get("required", ()):
        return "(needed)"
    value = part["properties"][key].get("default")
    if value is None or value == "":
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    head = DOCUMENT.read_text().partition(MARK)[0]
    DOCUMENT.write_text(head + MARK + "\n" + tables())
