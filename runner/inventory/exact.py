"""JSON whose numbers keep their text, for the few rows that have numbers which the quick reading would change.

It takes several times as long: `24.10` would be `24.1`, and a number of 23 digits would lose most of them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import orjson

from runner.errors import InvalidInput, Problem
from runner.spec.numbers import written_number
from runner.spec.yaml_source import decode_any

if TYPE_CHECKING:
    from runner.model import Json

_TOO_LARGE = "infinity"  # what the quick reading says of 1e999


def may_be_changed(value: Json) -> bool:
    """Whether the quick reading may have made other numbers, at any depth: of fractions, too many digits, or -0."""
    left = [value]
    while left:
        value = left.pop()
        if type(value) is float or (type(value) is int and value == 0):
            return True
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
    return False


def read_texts(data: bytes, file: str) -> Json:
    """Read JSON that is known to be some, with the text of each number in its place.

    Raises:
        InvalidInput: it is not UTF-8, or nested too deep.
    """
    return _read(_TEXTS, data, file)


_TEXTS = json.JSONDecoder(parse_int=str, parse_float=str)
_NUMBERS = json.JSONDecoder(parse_int=written_number, parse_float=written_number)


def _read(decoder: json.JSONDecoder, data: bytes, file: str) -> Json:
    try:
        return decoder.decode(decode_any(data, file))
    except RecursionError as error:
        raise InvalidInput(Problem("nested too deep", file)) from error


def read_quickly(data: bytes, file: str) -> Json:
    """Read JSON.

    Raises:
        InvalidInput: it is not UTF-8.
        orjson.JSONDecodeError: it is no JSON.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        decode_any(data, file)
        if _TOO_LARGE not in error.msg or not _is_json(data):
            raise
        return _read(_NUMBERS, data, file)


def _is_json(data: bytes) -> bool:
    """What the quick reading says of it but for its numbers: whether there is nothing else that is wrong."""
    try:
        value = json.loads(data, parse_int=str, parse_float=str, parse_constant=_refuse)
        orjson.dumps(value)
    except (ValueError, TypeError, RecursionError):
        return False
    return True


def _refuse(word: str) -> None:
    raise ValueError(word)
