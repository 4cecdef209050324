"""How a value becomes text: the one place that says it (docs/expressions.md has it as a table)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import NoReturn

from jinja2 import Undefined

from runner.spec.numbers import Written, plain_numbers


class NotRendered(Exception):
    """A value cannot stand where a template has it; `hint` says what to do instead."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def text_of(value: object) -> str:
    """Text as it is, a number as it was written, `true` or `false`.

    Raises:
        NotRendered: it is anything else: no form of it would be what somebody meant.
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Written | int) or (isinstance(value, float) and math.isfinite(value)):
        return str(value)
    if isinstance(value, Undefined):
        return str(value)  # raises and names it, or is empty where an absent label is
    raise _no_text(value)


def fail_undefined(value: Undefined) -> NoReturn:
    """Raise what says that a value is undefined, and what it would have been."""
    value._fail_with_undefined_error()  # noqa: SLF001  by attribute it raises something else for names such as __len__


def kind_of(value: object) -> str:
    """What a value is, for a message."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else text_of(value)
    if isinstance(value, int | float):
        return f"the number {value}"
    kinds = ((str, "text"), (Mapping, "a mapping"), (list | tuple | range | Iterator, "a list"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "no value")


def json_text(value: object) -> str:
    """A value as JSON on one line, with its keys in their order; a number that JSON would write otherwise is its text.

    Raises:
        NotRendered: there is something in it that JSON has no form for.
    """
    if value is None:
        return "null"
    value = plain_numbers(value) if isinstance(value, Written) else value
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json_text(text_of(key))}: {json_text(value[key])}" for key in value) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(json_text, value)) + "]"
    return text_of(value)


def _no_text(value: object) -> NotRendered:
    match value:
        case None:
            return NotRendered("null, where text is wanted", "give it a value, or use `default(..., true)`")
        case Mapping():
            return NotRendered("a mapping, where text is wanted", "name one of its keys, or use `tojson`")
        case list() | tuple() | range() | Iterator():
            return NotRendered("a list, where text is wanted", "use `join(',')`, or `tojson`")
        case float():
            return NotRendered(f"{value}, where text is wanted", "put it in quotes if it is text")
        case _ if isinstance(value, Guarded):
            return value.refusal()
        case _:
            return NotRendered("no value, where text is wanted", "a function is called with (): name()")


class Guarded:
    """What is no text, no truth and no collection by itself: parts of it are looked up, or it is put in whole."""

    __slots__ = ()

    def refusal(self) -> NotRendered:
        """Why it cannot be used so."""
        raise NotImplementedError

    def _refuse(self, *_: object) -> object:
        raise self.refusal()


_REFUSED = """
    str bool len iter eq ne lt le gt ge contains getitem add radd mul rmul mod rmod int float index format call hash
"""
for _name in _REFUSED.split():
    setattr(Guarded, f"__{_name}__", Guarded._refuse)  # noqa: SLF001  its own
