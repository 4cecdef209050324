"""Secrets in templates: a reference goes through all of the program, the value only into the bytes that are sent.

In a template, a secret is no text: it is put into a value whole, or not at all. What is done to it otherwise, at whatever
depth, would change the reference, and something that is no secret would be sent in its place.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from runner.spec.texts import Guarded, NotRendered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from runner.model import Json

MASK = "***"
_REFERENCE = re.compile(r"\*\*\*secret\.([A-Za-z_][A-Za-z0-9_]*)\*\*\*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SIGN = "***secret."
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


class SecretNames(Guarded):
    """What `secret` is in a template. `env` tells which secrets are empty; one that is not there may be set later.

    It remembers which references were put into texts: exactly these must be in what a template renders to.
    """

    __slots__ = ("_env", "_put_in")

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        self._env = env or {}
        self._put_in: Counter[str] = Counter()

    def named(self, name: object) -> SecretText:
        """One secret.

        Raises:
            NotRendered: it is empty, or cannot be a name.
        """
        if not isinstance(name, str) or _NAME.fullmatch(name) is None:
            raise NotRendered(f"{name!r} is no name of a secret", "write secret.NAME")
        if is_empty(self._env.get(name)):
            raise NotRendered(f"the secret {name} is empty", f"export {name}=...")
        return SecretText(reference(name), self)

    def begin(self) -> Counter[str]:
        """Another template begins. Gives what was put into the one around it, for `go_on`."""
        before, self._put_in = self._put_in, Counter()
        return before

    def go_on(self, before: Counter[str]) -> None:
        """The template is rendered; the one around it goes on."""
        self._put_in = before

    def put_in(self, text: str) -> None:
        """Note the references in a text that is put into a value."""
        self._put_in.update(secret_names(text))

    def is_whole(self, text: str) -> bool:
        """Whether a text that was rendered has exactly the references that were put in."""
        return not (self._put_in or _SIGN in text) or Counter(secret_names(text)) == self._put_in

    def refusal(self) -> NotRendered:
        """It is never a value by itself."""
        return NotRendered("`secret` is no value by itself", "name one: secret.NAME")


class SecretText(Guarded):
    """Text with references to secrets. It has no length, no case, no parts: only whole does it get into a value."""

    __slots__ = ("_names", "text")

    def __init__(self, text: str, names: SecretNames) -> None:
        self.text = text
        self._names = names

    def put_in(self) -> str:
        """The text, on its way into a value."""
        self._names.put_in(self.text)
        return self.text

    def joined(self, text: str) -> SecretText:
        """Another text in which this one is whole."""
        return SecretText(text, self._names)

    def refusal(self) -> NotRendered:
        """It is not to be changed, compared or looked at."""
        return NotRendered("a secret can only be put in whole", "write {{ secret.NAME }}, without filters around it")

    def __repr__(self) -> str:
        return f"<{mask(self.text)}>"


def is_empty(value: str | None) -> bool:
    """Whether a secret is there and has nothing in it."""
    return value is not None and not value.strip()


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
