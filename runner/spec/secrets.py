"""Secrets in templates: a reference goes through all of the program, the value only into the bytes that are sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from runner.model import Json

MASK = "***"
_REFERENCE = re.compile(r"\*\*\*secret\.([A-Za-z_][A-Za-z0-9_]*)\*\*\*")
# Shorter values would make the redactor blank out innocent text.
_SHORTEST_REDACTED = 4


def reference(name: str) -> str:
    """The text that stands for the secret `name` until it is sent."""
    return f"***secret.{name}***"


def secret_names(text: str) -> list[str]:
    """The secrets that a text refers to."""
    return _REFERENCE.findall(text)


def mask(text: str) -> str:
    """The text as people may see it."""
    return _REFERENCE.sub(MASK, text)


def resolve(value: Json, env: Mapping[str, str]) -> Json:
    """The JSON value with every reference replaced by the secret's value. For the bytes that are sent, only.

    Raises:
        KeyError: a secret is not in the environment.
    """
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: env[match[1]], value) if MASK in value else value
    if isinstance(value, dict):
        return {key: resolve(item, env) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(item, env) for item in value]
    return value


def redactor(values: Iterable[str]) -> Callable[[str], str]:
    """A function that takes secret values out of a text, for what a service may echo."""
    known = sorted((value for value in set(values) if len(value) >= _SHORTEST_REDACTED), key=len, reverse=True)
    if not known:
        return lambda text: text
    pattern = re.compile("|".join(map(re.escape, known)))
    return lambda text: pattern.sub(MASK, text)
