"""A plan's hooks: whom to tell of what, with secrets, and what is told, as references. They are part of the hash."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runner.spec.secrets import secret_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.model import Json, JsonMapping, JsonObject

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_URL = re.compile(r"https?://[^\s\x00-\x20\x7f]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PlannedHook:
    """Whom to tell of the moments `on`: exactly one of a command and a URL to `post` to.

    References in `post`, `headers` and `body` are filled when a signal is sent (`runner.spec.signal_names`). A program that
    stands beside the jobspec is looked for in `folder`, and was what `fingerprint` says when the plan was made.
    """

    on: tuple[str, ...]
    command: tuple[str, ...] | None = None
    env: tuple[str, ...] = ()
    post: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Json = None
    answer: JsonMapping = field(default_factory=dict)
    timeout_s: float = 10.0
    attempts: int = 3
    folder: str | None = None
    fingerprint: str | None = None

    @property
    def secrets(self) -> list[str]:
        """The names of the secrets that it refers to."""
        return list(dict.fromkeys(_names_in([self.post, dict(self.headers), self.body])))


def hooks_to_json(hooks: Sequence[PlannedHook]) -> list[JsonObject]:
    """The hooks, each without what it does not need."""
    return [{key: value for key, value in asdict(hook).items() if value not in (None, (), {})} for hook in hooks]


def hooks_from_json(document: Sequence[JsonMapping]) -> tuple[PlannedHook, ...]:
    """The hooks of `hooks_to_json`."""
    return tuple(map(_from_json, document))


def without_hook_folders(hooks: Sequence[JsonMapping]) -> list[JsonObject]:
    """Those of `hooks_to_json` without what only says where the plan was made."""
    return [{key: value for key, value in hook.items() if key != "folder"} for hook in hooks]


def url_trouble(url: str) -> str | None:
    """What is wrong with a URL to post to, which is not shown: it may be a secret. None: nothing."""
    try:
        parts = urlsplit(url)
        is_one = _URL.fullmatch(url) is not None and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    return None if is_one else "is no URL to post to; expected one such as https://host/path"


def header_trouble(value: str) -> str | None:
    """What is wrong with the value of a header, which is not shown; None: nothing."""
    return "has a line end or another control character in it" if _CONTROL.search(value) else None


def _names_in(value: Json) -> list[str]:
    if isinstance(value, str):
        return secret_names(value)
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return [name for part in parts for name in _names_in(part)]
    return []


def _from_json(hook: JsonMapping) -> PlannedHook:
    if not isinstance(hook.get("folder", ""), str):  # the hash does not cover it, so that anything may stand there
        raise TypeError(f"the folder of a hook is {hook['folder']!r}")
    command = tuple(hook["command"]) if "command" in hook else None
    return PlannedHook(**{**hook, "on": tuple(hook["on"]), "command": command, "env": tuple(hook.get("env", ()))})
