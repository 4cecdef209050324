"""Makes the checks of a rollout on this machine: commands, and HTTP requests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.app import commands
from runner.app.programs import NoProgram, path_of
from runner.spec.secrets import redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from runner.plan.rollout.model import PlannedCheck

# How much is recorded of what a check says.
_SAID = 500

_SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSW|CREDENTIAL|(^|_)(SK|KEY|PWD|PASS)($|_)", re.IGNORECASE)
_RUNNERS_OWN = re.compile(r"HUAWEICLOUD_SDK_|HW_", re.IGNORECASE)
_FOLDERS = frozenset({"PWD", "OLDPWD"})  # called as if they were passwords
# Shorter values under such names are settings, not secrets.
_SHORTEST_SECRET = 8
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")


class LocalChecker:
    """`redact` takes secrets out of what a check says before it is recorded.

    So are the values of variables of `env` whose names say that they are secret. A command has `env` without those, and
    without what the runner itself is given, unless the check asks for it; it may print what it has.
    """

    def __init__(self, redact: Callable[[str], str], ca_bundle: Path | None = None, *, env: Mapping[str, str]) -> None:
        self._redact = redact
        self._ca_bundle = ca_bundle
        self._env = env
        named = [value for name, value in env.items() if _is_secret(name) and len(value) >= _SHORTEST_SECRET]
        self._redact_env = redactor(named + _of_proxies(env))

    async def check(self, check: PlannedCheck) -> tuple[bool, str]:
        """Whether it passed, and what it said: the end of a command's words, the beginning of an answer."""
        if check.command is not None:
            return await self._run(check, check.command)
        from runner.api.probing import probe  # noqa: PLC0415  brings aiohttp, which takes long to import

        passed, said = await probe(check.url or "", check.timeout_s, self._env, self._ca_bundle)
        return passed, self._public(said)[:_SAID].strip()

    async def _run(self, check: PlannedCheck, command: Sequence[str]) -> tuple[bool, str]:
        env = self._env_for(check)
        try:
            ran = await commands.run(path_of(check, env), command[1:], env, check.timeout_s)
        except NoProgram as error:
            return False, self._public(str(error))
        except OSError as error:
            return False, self._public(f"{command[0]} cannot be started: {error.strerror}")
        ending = f"not over within {check.timeout_s:g} s" if ran.code is None else f"exit {ran.code}"
        said = self._public(ran.said)[-_SAID:].strip()
        return ran.code == 0, ": ".join(filter(None, ("" if ran.code == 0 else ending, said)))

    def _env_for(self, check: PlannedCheck) -> dict[str, str]:
        return {name: value for name, value in self._env.items() if name in check.env or self._is_public(name, value)}

    def _is_public(self, name: str, value: str) -> bool:
        return not _is_secret(name) and not _RUNNERS_OWN.match(name) and self._redact(value) == value

    def _public(self, said: str) -> str:
        """What may be shown. A character in the middle may have hidden a secret, and a secret may have such characters."""
        return self._without_secrets(_printable(self._without_secrets(said)))

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
