"""JSON text to plain values, each with its line and column, read as every JSON library writes it.

YAML takes most JSON, but not all: tabs before keys, pairs of surrogates, characters such as DEL. No duplicate keys, and the
limits of YAML files.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from runner.errors import InvalidInput, Problem
from runner.spec.numbers import written_number
from runner.spec.yaml_source import MOST_DEPTH, MOST_NODES, Path, Source, path_text, read_yaml

if TYPE_CHECKING:
    from runner.model import Json, JsonObject

_BLANKS = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, Json] = {"true": True, "false": False, "null": None}
_WORD = re.compile("true|false|null")
_DECODER = json.JSONDecoder()
_SURROGATE = re.compile("[\ud800-\udfff]")


class NotJson(Exception):
    """The text is no JSON; `problem` says where it stops to be."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def read_document(text: str, file: str) -> Source:
    """Read one document: JSON if it is some, and must be in a file that is called so; else YAML.

    Raises:
        InvalidInput: it is neither, or more than is read here.
    """
    if text.lstrip()[:1] not in {"{", "["}:
        return read_yaml(text, file)
    try:
        return read_json(text, file)
    except NotJson as error:
        if file.endswith(".json"):
            raise InvalidInput(error.problem) from error
        return read_yaml(text, file)


def read_json(text: str, file: str) -> Source:
    """Read one JSON document.

    Raises:
        NotJson: it is none.
        InvalidInput: it has duplicate keys or halves of characters, or is nested too deep or too large.
    """
    reader = _Reader(text, file)
    data = reader.document()
    if reader.problems:
        raise InvalidInput(*reader.problems)
    return Source(file, text, data, reader.positions, reader.key_positions)


class _Reader:
    def __init__(self, text: str, file: str) -> None:
        self.positions: dict[Path, tuple[int, int]] = {}
        self.key_positions: dict[Path, tuple[int, int]] = {}
        self.problems: list[Problem] = []
        self._text = text
        self._file = file
        self._at = 0
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]

    def document(self) -> Json:
        data = self._value(())
        self._blanks()
        if self._at < len(self._text):
            raise self._syntax("expected the end of the file")
        return data

    def _value(self, path: Path) -> Json:
        self._blanks()
        self.positions[path] = self._position(self._at)
        if len(self.positions) > MOST_NODES or len(path) > MOST_DEPTH:
            many = len(self.positions) > MOST_NODES
            what = f"more than {MOST_NODES:,} values" if many else f"nested deeper than {MOST_DEPTH}"
            raise InvalidInput(*self.problems, self._problem(what, self._at, ()))
        start = self._text[self._at : self._at + 1]
        if start == "{":
            return self._mapping(path)
        if start == "[":
            return self._list(path)
        return self._string(path) if start == '"' else self._word()

    def _mapping(self, path: Path) -> JsonObject:
        found: JsonObject = {}
        self._take("{")
        while self._is_next("}", is_first=not found):
            start = self._at
            if not self._text.startswith('"', start):
                raise self._syntax('expected a key in "..."')
            key = self._string(path)
            self._take(":")
            if key in found:
                line = self.key_positions[*path, key][0]
                self.problems.append(
                    self._problem(f"duplicate key `{key}`; it stands on line {line} already", start, path)
                )
            self.key_positions[*path, key] = self._position(start)
            found[key] = self._value((*path, key))
        return found

    def _list(self, path: Path) -> list[Json]:
        found: list[Json] = []
        self._take("[")
        while self._is_next("]", is_first=not found):
            found.append(self._value((*path, len(found))))
        return found

    def _is_next(self, closing: str, *, is_first: bool) -> bool:
        """Whether one more entry comes; what stands before it, or the end, is taken."""
        self._blanks()
        if self._text.startswith(closing, self._at):
            self._at += 1
            return False
        if not is_first:
            self._take(",")
            self._blanks()
        return True

    def _string(self, path: Path) -> str:
        start = self._at
        text: str
        try:
            text, self._at = _DECODER.raw_decode(self._text, start)
        except json.JSONDecodeError as error:
            self._at = error.pos
            raise self._syntax(error.msg) from error
        if not text.isascii() and _SURROGATE.search(text):
            message = "half of a character: a surrogate such as \\ud83d without the other one"
            self.problems.append(self._problem(message, start, path))
            return _SURROGATE.sub("", text)
        return text

    def _word(self) -> Json:
        word = _WORD.match(self._text, self._at)
        if word:
            self._at = word.end()
            return _WORDS[word[0]]
        number = _NUMBER.match(self._text, self._at)
        if number is None:
            raise self._syntax("expected a value")
        self._at = number.end()
        return written_number(number[0])

    def _take(self, mark: str) -> None:
        self._blanks()
        if not self._text.startswith(mark, self._at):
            raise self._syntax(f"expected `{mark}`")
        self._at += 1

    def _blanks(self) -> None:
        found = _BLANKS.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _position(self, at: int) -> tuple[int, int]:
        line = bisect_right(self._lines, at)
        return line, at - self._lines[line - 1] + 1

    def _syntax(self, message: str) -> NotJson:
        return NotJson(self._problem(f"not valid JSON: {message}", self._at, ()))

    def _problem(self, message: str, at: int, path: Path) -> Problem:
        line, column = self._position(at)
        return Problem(message, self._file, line, column, path_text(path) or None)
