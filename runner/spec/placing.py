"""Values of a file together with where they stand in it."""

from __future__ import annotations

from runner.spec.campaign import Place, Template
from runner.spec.yaml_source import Path, Source, path_text


def place_of(source: Source, path: Path) -> Place:
    """Where the value at a path stands."""
    line, column = source.position(path)
    return Place(source.file, line, column, path_text(path))


def template_of(source: Source, value: str | float | bool | None, path: Path) -> Template:  # noqa: FBT001  any YAML scalar
    """A scalar that may be a template."""
    return Template(value, place_of(source, path))
