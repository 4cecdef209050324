"""The tables of docs/reports.md, made from the models: `python -m tests.report_document` writes them anew (`make documents`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.report.models import report_schema
from tests.jobspec_document import MARK, WORDS

DOCUMENT = Path(__file__).parents[1] / "docs" / "reports.md"
Schema = Mapping[str, Any]


def tables() -> str:
    """One table for each object of a report, in the order in which they are first named."""
    schema = report_schema()
    places, waiting = {"": ""}, [""]
    while waiting:
        model = waiting.pop(0)
        for key, value in _part(schema, model)["properties"].items():
            for name, suffix in _objects(value):
                if name not in places:
                    places[name] = f"{places[model]}.{key}{suffix}".lstrip(".")
                    waiting.append(name)
    return "\n".join(_table(place, _part(schema, name), places) for name, place in places.items())


def _part(schema: Schema, name: str) -> Schema:
    part: Schema = schema["$defs"][name] if name else schema
    return part


def _objects(value: Schema) -> Iterator[tuple[str, str]]:
    if "$ref" in value:
        yield value["$ref"].rsplit("/", 1)[1], ""
    for choice in value.get("anyOf", ()):
        yield from _objects(choice)
    if "items" in value:
        yield from ((name, f"[]{suffix}") for name, suffix in _objects(value["items"]))


def _table(place: str, part: Schema, places: Mapping[str, str]) -> str:
    lines = [f"### `{place}`" if place else "### The report", "", " ".join(part["description"].split()), ""]
    lines += ["| field | type | meaning |", "|---|---|---|"]
    lines += [
        f"| `{key}` | {_type(value, places)} | {value.get('description', '')} |"
        for key, value in part["properties"].items()
    ]
    return "\n".join([*lines, ""])


def _type(value: Schema, places: Mapping[str, str]) -> str:
    if "$ref" in value:
        return f"`{places[value['$ref'].rsplit('/', 1)[1]]}`"
    if "const" in value or "enum" in value:
        return ", ".join(f"`{word}`" for word in value.get("enum", [value.get("const")]))
    if "anyOf" in value:
        return " or ".join("null" if one.get("type") == "null" else _type(one, places) for one in value["anyOf"])
    if value["type"] == "array":
        return f"list of {_type(value['items'], places)}"
    return WORDS[value["type"]]


if __name__ == "__main__":
    head = DOCUMENT.read_text().partition(MARK)[0]
    DOCUMENT.write_text(head + MARK + "\n" + tables())
