"""Makes the checks of a rollout on this machine: commands, and HTTP requests."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from runner.spec.secrets import redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runner.plan.rollout.model import PlannedCheck

# How much is recorded of what a check says, and how much is kept of it until then, so that no secret is cut in two
# before it is taken out.
_SAID = 500
_KEPT = 64 * 1024
_CHUNK = 64 * 1024
_GRACE_S = 5.0

_SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSW|CREDENTIAL|(^|_)(SK|KEY|PWD|PASS)($|_)", re.IGNORECASE)
# Shorter values under such names are settings, not secrets.
_SHORTEST_SECRET = 8


class LocalChecker:
    """`redact` takes secrets out of what a check says before it is recorded.

    So are the values of variables of `env` whose names say that they are secret: a check inherits them all, credentials
    for the service, too, and may print them.
    """

    def __init__(self, redact: Callable[[str], str], env: Mapping[str, str]) -> None:
        self._redact = redact
        self._redact_env = redactor(
            value for name, value in env.items() if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET
        )

    async def check(self, check: PlannedCheck) -> tuple[bool, str]:
        """Whether it passed, and what it said: the end of a command's words, the beginning of an answer."""
        if check.command is not None:
            passed, how, said = await _run(check.command, check.timeout_s)
            return passed, f"{how}{self._public(said)[-_SAID:]}".strip()
        from runner.api.probing import probe  # noqa: PLC0415  brings aiohttp, which takes long to import

        passed, said = await probe(check.url or "", check.timeout_s)
        return passed, self._public(said)[:_SAID].strip()

    def _public(self, said: str) -> str:
        return self._redact_env(self._redact(said))


async def _run(command: Sequence[str], timeout_s: float) -> tuple[bool, str, str]:
    """Run a program in a process group of its own, so that on a time-out all that it started is ended with it.

    Returns whether it passed, in words how it ended, and the end of what it said.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return False, f"{command[0]} cannot be started: {error.strerror}", ""
    try:
        async with asyncio.timeout(timeout_s):
            said = await _last_words(process)
    except TimeoutError:
        await _end(process)
        return False, f"not over within {timeout_s:g} s", ""
    except asyncio.CancelledError:
        await _end(process)
        raise
    return process.returncode == 0, "" if process.returncode == 0 else f"exit {process.returncode}: ", said


async def _last_words(process: asyncio.subprocess.Process) -> str:
    """Wait for the end of a program; the end of what it said. However much that is, little is kept."""
    kept = b""
    if process.stdout is not None:
        while chunk := await process.stdout.read(_CHUNK):
            kept = (kept + chunk)[-_KEPT:]
    await process.wait()
    return kept.decode(errors="replace").strip()


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a program and all that it started: asked first, and those that stay made to."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(TimeoutError):
        async with asyncio.timeout(_GRACE_S):
            await _last_words(process)
    # Also where the program itself has gone: what it started may have stayed, in its group.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
