"""Runs programs for checks and hooks: without credentials, and nothing that they say shows one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.app import commands
from runner.app.programs import NoProgram, path_of
from runner.spec.secrets import redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.app.programs import Program

# How much is recorded of what a program says.
_SAID = 500

_SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSW|CREDENTIAL|(^|_)(SK|KEY|PWD|PASS)($|_)", re.IGNORECASE)
_RUNNERS_OWN = re.compile(r"HUAWEICLOUD_SDK_|HW_", re.IGNORECASE)
_FOLDERS = frozenset({"PWD", "OLDPWD"})  # called as if they were passwords
# Shorter values under such names are settings, not secrets.
_SHORTEST_SECRET = 8
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")


class LocalPrograms:
    """`redact` takes secrets out of what a program says before it is recorded.

    So are the values of variables of `env` whose names say that they are secret. A program has `env` without those, and
    without what the runner itself is given, unless it was asked for; it may print what it has.
    """

    def __init__(self, redact: Callable[[str], str], env: Mapping[str, str]) -> None:
        self._redact = redact
        self._env = env
        named = [value for name, value in env.items() if _is_secret(name) and len(value) >= _SHORTEST_SECRET]
        self._redact_env = redactor(named + _of_proxies(env))

    async def run(
        self,
        program: Program,
        timeout_s: float,
        variables: Mapping[str, str] | None = None,
        given: bytes = b"",
        grace_s: float = commands.GRACE_S,
    ) -> tuple[bool, str]:
        """Whether it ended well, and how it ended with the end of what it said.

        `variables` are set for it besides; `given` is its standard input. Once its time is over it has `grace_s` to end.
        """
        command, env = program.command or ("",), {**self._env_for(program), **(variables or {})}
        try:
            ran = await commands.run(path_of(program, env), command[1:], env, timeout_s, grace_s, given)
        except NoProgram as error:
            return False, self.public(str(error))
        except OSError as error:
            return False, self.public(f"{command[0]} cannot be started: {error.strerror}")
        ending = f"not over within {timeout_s:g} s" if ran.code is None else f"exit {ran.code}"
        said = self.public(ran.said)[-_SAID:].strip()
        return ran.code == 0, ": ".join(filter(None, ("" if ran.code == 0 else ending, said)))

    def public(self, said: str) -> str:
        """What may be shown. A character in the middle may have hidden a secret, and a secret may have such characters."""
        return self._without_secrets(_printable(self._without_secrets(said)))

    def _env_for(self, program: Program) -> dict[str, str]:
        return {name: value for name, value in self._env.items() if name in program.env or self._is_public(name, value)}

    def _is_public(self, name: str, value: str) -> bool:
        return not _is_secret(name) and not _RUNNERS_OWN.match(name) and self._redact(value) == value

    def _without_secrets(self, said: str) -> str:
        return self._redact_env(self._redact(said))


def _of_proxies(env: Mapping[str, str]) -> list[str]:
    """The users and passwords of proxies, which programs quote when they fail."""
    proxies = (value for name, value in env.items() if name.lower().endswith("_proxy"))
    people = [value.partition("://")[2].rpartition("@")[0] or value.rpartition("@")[0] for value in proxies]
    return people + [person.partition(":")[2] for person in people]


def _is_secret(name: str) -> bool:
    return name not in _FOLDERS and _SECRET_NAME.search(name) is not None


def _printable(text: str) -> str:
    """Text that does nothing to a terminal but to stand there: lines of printable characters."""
    lines = _COLOUR.sub("", text).expandtabs().replace("\r\n", "\n")
    return "".join(character for character in lines if character.isprintable() or character == "\n")
