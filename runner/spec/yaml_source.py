"""YAML 1.2 text to plain values, each with its line and column. No duplicate keys; aliases and depth are capped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from runner.errors import InvalidInput, Problem
from runner.spec.numbers import Written, written_number
from runner.spec.yaml_mistakes import QUOTE_TEMPLATES, directive_problem, quoted, syntax_problem, version_problem

if TYPE_CHECKING:
    from runner.model import Json, JsonObject

MOST_BYTES = 4_000_000
MOST_NODES = 200_000
MOST_DEPTH = 40

Path = tuple[str | int, ...]
_TAG = "tag:yaml.org,2002:"
# Implicit ones, and those that only say what is so anyway. Dates and `=` are text here.
_TAGS = {
    ScalarNode: {"null", "bool", "int", "float", "str", "timestamp", "value", "merge"},
    SequenceNode: {"seq"},
    MappingNode: {"map"},
}
_NULLS = {"", "~", "null", "Null", "NULL"}
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


@dataclass(frozen=True, slots=True)
class Source:
    """A file's values, and where each stands: line and column from 1, by its path inside. Numbers are `Written`."""

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
    return decode_any(data, file)


def decode_any(data: bytes, file: str) -> str:
    """The same, however large it is."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise InvalidInput(Problem("not UTF-8", file, line, column, hint="save the file as UTF-8")) from error


def read_yaml(text: str, file: str) -> Source:
    """Read one YAML document.

    Raises:
        InvalidInput: it is not valid YAML 1.2, has tags or duplicate keys, or is nested too deep or too large.
    """
    directive = directive_problem(text, file)
    if directive is not None:
        raise InvalidInput(directive)
    try:
        nodes = list(YAML(typ="safe", pure=True).compose_all(text))
    except (YAMLError, ValueError, RecursionError) as error:
        raise InvalidInput(syntax_problem(error, text, file)) from error
    except AssertionError as error:  # of the parser, at a version that it does not know
        raise InvalidInput(version_problem(text, file)) from error
    if len(nodes) > 1:
        line = nodes[1].start_mark.line + 1
        raise InvalidInput(Problem("a second document; one file holds one", file=file, line=line))
    if not nodes or nodes[0] is None:
        raise InvalidInput(Problem("the file is empty", file=file))
    reader = _Reader(file, text)
    data = reader.value(nodes[0], ())
    if reader.problems:
        raise InvalidInput(*reader.problems)
    return Source(file, text, data, reader.positions, reader.key_positions)


class _Reader:
    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
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
        if self._kind(node, path) is None:
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path) if isinstance(node, ScalarNode) else None

    def _kind(self, node: Node, path: Path) -> str | None:
        """What the tag says; None, and a problem, where it is one that is not known here."""
        tag = str(node.tag)
        kind = tag.removeprefix(_TAG)
        if tag.startswith(_TAG) and kind in _TAGS[type(node)]:
            return kind
        written = tag if tag.startswith("!") else f"!!{kind}"
        message = f"the tag `{written}`: nothing is included, decrypted or computed here"
        self.problems.append(self._problem(message, node, path, "write the value itself, or use a variable: -e, env"))
        return None

    def _mapping(self, node: MappingNode, path: Path) -> JsonObject:
        if self._is_unquoted_template(node, path):
            return {}
        merged = self._merged([pair for pair in node.value if _is_merge(pair[0])], path)
        found: JsonObject = {}
        for key_node, value_node in node.value:
            if _is_merge(key_node):
                continue
            key = self._key(key_node, path)
            if key is None:
                self.value(value_node, path)
            elif key in found:
                line = self.key_positions[*path, key][0]
                message = f"duplicate key `{key}`; it stands on line {line} already"
                self.problems.append(self._problem(message, key_node, path))
            else:
                self.key_positions[*path, key] = _position(key_node)
                found[key] = self.value(value_node, (*path, key))
        return {**merged, **found}

    def _key(self, node: Node, path: Path) -> str | None:
        if isinstance(node, ScalarNode):
            return None if self._kind(node, path) is None else self._text(node, path)
        self.problems.append(self._problem("a key must be plain text", node, path))
        return None

    def _is_unquoted_template(self, node: MappingNode, path: Path) -> bool:
        """`{{ version }}` without quotes: a mapping whose key is a mapping."""
        start, end = node.start_mark.index, node.end_mark.index
        if not self.text.startswith("{{", start):
            return False
        message = f"{QUOTE_TEMPLATES}: {quoted(self.text[start:end])}"
        self.problems.append(self._problem(message, node, path))
        return True

    def _merged(self, pairs: list[tuple[Node, Node]], path: Path) -> JsonObject:
        """What `<<` brings in; what comes earlier in a list of it wins."""
        place = self.positions[path]
        for second, _ in pairs[1:]:
            self.problems.append(self._problem("a second `<<`", second, path, "merge several: `<<: [*a, *b]`"))
        merged: JsonObject = {}
        for _, node in pairs[:1]:
            for part in reversed(node.value if isinstance(node, SequenceNode) else [node]):
                if isinstance(part, MappingNode):
                    merged |= self.value(part, path)
                else:
                    message = "`<<` merges a mapping, or a list of mappings, into this one"
                    self.problems.append(self._problem(message, part, path, 'in quotes, "<<" is a key'))
        self.positions[path] = place
        return merged

    def _scalar(self, node: ScalarNode, path: Path) -> Json:
        kind = str(node.tag).removeprefix(_TAG)
        text = self._text(node, path)
        if kind == "null" and text in _NULLS:
            return None
        if kind == "bool" and text in _BOOLEANS:
            return _BOOLEANS[text]
        if kind in {"int", "float"}:
            return self._number(node, text, path)
        if kind in {"null", "bool"}:
            self.problems.append(self._problem(f"{text!r} is no {kind}", node, path))
        return text

    def _number(self, node: ScalarNode, text: str, path: Path) -> Written | str:
        try:
            return written_number(text)
        except ValueError:
            self.problems.append(self._problem(f"{text!r} is no number; put it in quotes if it is text", node, path))
            return text

    def _text(self, node: ScalarNode, path: Path) -> str:
        r"""A scalar's text; a pair of surrogates, which is how JSON escapes a character of four bytes, is that character."""
        text = str(node.value)
        if text.isascii():
            return text
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            message = "half of a character: a surrogate such as \\ud83d without the other one"
            self.problems.append(self._problem(message, node, path))
            return ""

    def _problem(self, message: str, node: Node, path: Path, hint: str = "") -> Problem:
        line, column = _position(node)
        return Problem(message, self.file, line, column, path_text(path) or None, hint)


def _is_merge(node: Node) -> bool:
    return bool(node.tag == _TAG + "merge")


def _position(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def path_text(path: Path) -> str:
    """A path as people write it: `steps[0].items[0].spec.version`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
