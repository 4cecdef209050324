"""Bodies, URLs and headers of hooks as they are sent: what a run tells and secrets in the place of their references."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.model import Json, JsonMapping

_REFERENCE = re.compile(r"\*\*\*(secret|signal)\.([A-Za-z_][A-Za-z0-9_.]*)\*\*\*")


def filled(value: Json, signal: JsonMapping, secrets: Mapping[str, str]) -> Json:
    """A body, URL or header with every reference replaced, in one go: what a run tells is never read as a reference.

    Text that is nothing but one part of the signal becomes that part: a number stays one.

    Raises:
        KeyError: a secret is not among `secrets`.
    """
    if isinstance(value, str):
        whole = _REFERENCE.fullmatch(value)
        if whole is not None:
            return _meant(whole, signal, secrets)
        return _REFERENCE.sub(lambda match: _text(_meant(match, signal, secrets)), value)
    if isinstance(value, dict):
        return {key: filled(item, signal, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, signal, secrets) for item in value]
    return value


def _meant(match: re.Match[str], signal: JsonMapping, secrets: Mapping[str, str]) -> Json:
    if match[1] == "secret":
        return secrets[match[2]]
    part: Json = signal
    for name in match[2].split("."):
        part = part.get(name) if isinstance(part, dict) else None
    return part


def _text(value: Json) -> str:
    """A part of a signal in the middle of a text."""
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    return str(value)
