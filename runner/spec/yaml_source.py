"""YAML 1.2 text to plain values, each with its line and column. No duplicate keys; aliases and depth are capped."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from runner.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from runner.model import Json, JsonObject

MOST_BYTES = 4_000_000
MOST_NODES = 200_000
MOST_DEPTH = 40

Path = tuple[str | int, ...]
_TAG = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?[0-9]+")


@dataclass(frozen=True, slots=True)
class Source:
    """A file's values, and where each stands: line and column from 1, by its path inside."""

    file: str
    text: str
    data: Json
    positions: dict[Path, tuple[int, int]]
    key_positions: dict[Path, tuple[int, int]]

    def position(self, path: Path) -> tuple[int, int]:
        """Where the value at `path` stands, or the nearest one around it."""
        while path and path not in self.positions:
            path = path[:-1]
        return self.positions.get(path, (1, 1))


def decode(data: bytes, file: str) -> str:
    """Text from a file's bytes.

    Raises:
        InvalidInput: it is not UTF-8, or too large.
    """
    if len(data) > MOST_BYTES:
        raise InvalidInput(Problem(f"{len(data):,} bytes, at most {MOST_BYTES:,} are allowed here", file=file))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidInput(Problem("not UTF-8", file=file, line=line, hint="save the file as UTF-8")) from error


def read_yaml(text: str, file: str) -> Source:
    """Read one YAML document.

    Raises:
        InvalidInput: it is not valid YAML, has duplicate keys, or is nested too deep or too large.
    """
    try:
        nodes = list(YAML(typ="safe", pure=True).compose_all(text))
    except MarkedYAMLError as error:
        raise InvalidInput(_syntax_problem(error, file)) from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise InvalidInput(Problem(f"not valid YAML: {str(error).strip() or 'nested too deep'}", file=file)) from error
    if len(nodes) > 1:
        line = nodes[1].start_mark.line + 1
        raise InvalidInput(Problem("a second document; one file holds one", file=file, line=line))
    if not nodes or nodes[0] is None:
        raise InvalidInput(Problem("the file is empty", file=file))
    reader = _Reader(file)
    data = reader.value(nodes[0], ())
    if reader.problems:
        raise InvalidInput(*reader.problems)
    return Source(file, text, data, reader.positions, reader.key_positions)


def _syntax_problem(error: MarkedYAMLError, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    what = " ".join(str(part).strip() for part in (error.context, error.problem) if part)
    line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
    hint = "indent with spaces, not tabs" if "\\t" in what else ""
    return Problem(f"not valid YAML: {what}", file, line, column, hint=hint)


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.positions: dict[Path, tuple[int, int]] = {}
        self.key_positions: dict[Path, tuple[int, int]] = {}
        self.problems: list[Problem] = []
        self.nodes = 0

    def value(self, node: Node, path: Path) -> Json:
        self.nodes += 1
        if self.nodes > MOST_NODES or len(path) > MOST_DEPTH:
            what = f"more than {MOST_NODES:,} values" if self.nodes > MOST_NODES else f"nested deeper than {MOST_DEPTH}"
            raise InvalidInput(*self.problems, self._problem(f"{what}; anchors and aliases count, too", node, ()))
        self.positions[path] = _position(node)
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path) if isinstance(node, ScalarNode) else None

    def _mapping(self, node: MappingNode, path: Path) -> JsonObject:
        found: JsonObject = {}
        merged: JsonObject = {}
        first: dict[str, Node] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge":
                merged |= self._merged(value_node, path)
                continue
            key = str(key_node.value) if isinstance(key_node, ScalarNode) else None
            if key is None:
                self.problems.append(self._problem("a key must be plain text", key_node, path))
            elif key in first:
                line = first[key].start_mark.line + 1
                self.problems.append(
                    self._problem(f"duplicate key `{key}`; it stands on line {line} already", key_node, path)
                )
            else:
                first[key] = key_node
                self.key_positions[*path, key] = _position(key_node)
                found[key] = self.value(value_node, (*path, key))
        return {**merged, **found}

    def _merged(self, node: Node, path: Path) -> JsonObject:
        parts = node.value if isinstance(node, SequenceNode) else [node]
        merged: JsonObject = {}
        for part in reversed(parts):
            value = self.value(part, path)
            if isinstance(value, dict):
                merged |= value
        return merged

    def _scalar(self, node: ScalarNode, path: Path) -> Json:
        kind = str(node.tag).removeprefix(_TAG)
        text = str(node.value)
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        if kind in {"int", "float"}:
            return self._number(node, text, path)
        return text

    def _number(self, node: ScalarNode, text: str, path: Path) -> int | float | str:
        try:
            value = int(text, 0) if _INTEGER.fullmatch(text) is None and text[:1] == "0" else float(text)
        except ValueError:
            try:
                return float(text.replace(".inf", "inf").replace(".nan", "nan"))
            except ValueError:
                self.problems.append(
                    self._problem(f"{text!r} is no number; put it in quotes if it is text", node, path)
                )
                return text
        return int(text) if _INTEGER.fullmatch(text) else value

    def _problem(self, message: str, node: Node, path: Path) -> Problem:
        line, column = _position(node)
        return Problem(message, self.file, line, column, path_text(path) or None)


def _position(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def path_text(path: Path) -> str:
    """A path as people write it: `steps[0].items[0].spec.version`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
