"""Which kind of file a person gave: a jobspec, in YAML or JSON, or a plan that `runner plan -o` wrote."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import orjson

from runner.errors import InvalidInput, Problem
from runner.spec.yaml_source import MOST_BYTES

if TYPE_CHECKING:
    from pathlib import Path

# As they are written; another program may have written one anew, in another order.
_PLAN_BEGINS = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"plan_hash"\s*:')
_HEAD = 200
_JOBSPEC_HAS = ("api_version", "groups", "steps")


def is_plan(path: Path) -> bool:
    """Whether the file is to be read as a plan: by what is in it, not by its name alone.

    Raises:
        InvalidInput: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise InvalidInput(Problem(f"cannot be read: {error.strerror}", file_name(path))) from error
    if _PLAN_BEGINS.match(head):
        return True
    return path.suffix == ".json" and not _is_jobspec(read_file(path))


def _is_jobspec(data: bytes) -> bool:
    """Whether a JSON text has keys of a jobspec and none of a plan; what is no JSON is neither, and no plan either."""
    if len(data) > MOST_BYTES:
        return False
    try:
        document = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return b'"schema_version"' not in data and any(f'"{key}"'.encode() in data for key in _JOBSPEC_HAS)
    if not isinstance(document, dict) or "schema_version" in document:
        return False
    return any(key in document for key in _JOBSPEC_HAS)


def read_file(path: Path) -> bytes:
    """All of a file that a person named.

    Raises:
        InvalidInput: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(Problem(f"cannot be read: {error.strerror}", file_name(path))) from error


def file_name(path: Path) -> str:
    """A path as it is shown and kept: its bytes may be no text."""
    return str(path).encode(errors="surrogateescape").decode(errors="replace")
