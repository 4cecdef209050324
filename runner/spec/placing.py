"""Values of a file together with where they stand in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.spec.campaign import Place, Template
from runner.spec.yaml_source import Path, Source, path_text

if TYPE_CHECKING:
    from runner.model import Json


def place_of(source: Source, path: Path) -> Place:
    """Where the value at a path stands."""
    line, column = source.position(path)
    return Place(source.file, line, column, path_text(path))


def template_of(source: Source, value: str | float | bool | None, path: Path) -> Template:  # noqa: FBT001  any YAML scalar
    """A scalar that may be a template."""
    return Template(value, place_of(source, path))


def tree_of(source: Source, value: Json, path: Path) -> object:
    """A value whose text may be templates, at any depth."""
    if isinstance(value, dict):
        return {key: tree_of(source, item, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [tree_of(source, item, (*path, index)) for index, item in enumerate(value)]
    return template_of(source, value, path) if isinstance(value, str) else value
