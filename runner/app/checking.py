"""Makes the checks of a rollout on this machine: commands, and HTTP requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.app.local_programs import LocalPrograms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from runner.plan.rollout.model import PlannedCheck

# How much is recorded of what an answer says.
_SAID = 500


class LocalChecker:
    """`redact` takes secrets out of what a check says before it is recorded; see `LocalPrograms`."""

    def __init__(self, redact: Callable[[str], str], ca_bundle: Path | None = None, *, env: Mapping[str, str]) -> None:
        self._programs = LocalPrograms(redact, env)
        self._ca_bundle = ca_bundle
        self._env = env

    async def check(self, check: PlannedCheck) -> tuple[bool, str]:
        """Whether it passed, and what it said: the end of a command's words, the beginning of an answer."""
        if check.command is not None:
            return await self._programs.run(check, check.timeout_s)
        from runner.api.probing import probe  # noqa: PLC0415  brings aiohttp, which takes long to import

        passed, said = await probe(check.url or "", check.timeout_s, self._env, self._ca_bundle)
        return passed, self._programs.public(said)[:_SAID].strip()
