"""Which kind of file a person gave: a jobspec, in YAML or JSON, or a plan that `runner plan -o` wrote."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from typing import TYPE_CHECKING

import orjson

from runner.errors import InvalidInput, Problem
from runner.inventory.files import STANDARD_INPUT
from runner.spec.yaml_source import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# As they are written; another program may have written one anew, in another order.
_PLAN_BEGINS = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"plan_hash"\s*:')
_HEAD = 200
_MARKS = ("schema_version", "plan_hash")


def is_plan(path: Path, read: Mapping[Path, bytes]) -> bool:
    """Whether the file is to be read as a plan: by what is in it, not by its name alone. `read` as for `read_file`.

    Raises:
        InvalidInput: it cannot be read.
    """
    if path in read:
        data = read[path]
        return bool(_PLAN_BEGINS.match(data)) or (data.lstrip()[:1] == b"{" and _has_marks(data))
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise InvalidInput(Problem(f"cannot be read: {error.strerror}", file_name(path))) from error
    if _PLAN_BEGINS.match(head):
        return True
    return path.suffix == ".json" and _has_marks(read_file(path, read))


def _has_marks(data: bytes) -> bool:
    """Whether a JSON text has what every plan has at its top; of a text that is no JSON: anywhere."""
    if not any(f'"{mark}"'.encode() in data for mark in _MARKS):
        return False
    if len(data) > MOST_BYTES:
        return True  # no jobspec is so large
    try:
        document = orjson.loads(data.removeprefix(BOM_UTF8))
    except orjson.JSONDecodeError:
        return True
    return isinstance(document, dict) and any(mark in document for mark in _MARKS)


def read_file(path: Path, read: Mapping[Path, bytes]) -> bytes:
    """All of a file that a person named; `read` has those that were read already, for they can be read only once.

    Raises:
        InvalidInput: it cannot be read.
    """
    if path in read:
        return read[path]
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(Problem(f"cannot be read: {error.strerror}", file_name(path))) from error


def file_name(path: Path) -> str:
    """A path as it is shown and kept: its bytes may be no text."""
    if str(path) == "-":
        return STANDARD_INPUT
    return str(path).encode(errors="surrogateescape").decode(errors="replace")
