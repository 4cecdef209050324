"""Tells somebody of a run, once: runs a command, or makes an HTTP POST. What it may say of a failure shows no secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from runner.app.hook_secrets import post_troubles
from runner.app.local_programs import LocalPrograms
from runner.spec.references import filled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from runner.model import JsonMapping
    from runner.plan.hooks import PlannedHook

_JSON, _TEXT = "application/json; charset=utf-8", "text/plain; charset=utf-8"
# So that the end of a run need not wait long for a program that does not end.
_GRACE_S = 1.0
_AGENT = "lite-server-runner"


class LocalSender:
    """`redact` takes secrets out of what a program says; see `LocalPrograms`."""

    def __init__(self, redact: Callable[[str], str], ca_bundle: Path | None, *, env: Mapping[str, str]) -> None:
        self._programs = LocalPrograms(redact, env)
        self._ca_bundle = ca_bundle
        self._env = env

    async def send(self, hook: PlannedHook, signal: JsonMapping) -> str | None:
        """Why it did not arrive; None: it did."""
        if hook.command is None:
            return await self._post(hook, signal)
        variables = {"RUNNER_EVENT": str(signal["event"]), "RUNNER_RUN_ID": str(signal["run_id"])}
        arrived, said = await self._programs.run(hook, hook.timeout_s, variables, orjson.dumps(signal), _GRACE_S)
        return None if arrived else said

    async def _post(self, hook: PlannedHook, signal: JsonMapping) -> str | None:
        trouble = next(post_troubles(hook, self._env), None)
        if trouble is not None:
            return trouble
        from runner.api.probing import OutsideCall, make_call  # noqa: PLC0415  brings aiohttp, which takes long to import

        body = signal if hook.body is None else filled(hook.body, signal, self._env)
        kind, data = (_TEXT, body.encode()) if isinstance(body, str) else (_JSON, orjson.dumps(body))
        own = {name: filled(value, signal, self._env) for name, value in hook.headers.items()}
        usual = {"Content-Type": kind, "User-Agent": _AGENT}
        named = {name.lower() for name in own}
        headers = {name: value for name, value in usual.items() if name.lower() not in named} | own
        url = filled(hook.post, {}, self._env)
        # A host may be part of a secret; and what is answered may have one in it, so that none of it is said.
        call = OutsideCall("POST", url, hook.timeout_s, headers, data, place="the receiver")
        told = await make_call(call, self._env, self._ca_bundle)
        if told.status is None:
            return told.trouble
        if not told.is_well:
            return f"HTTP {told.status}{_REDIRECTED if told.status in _REDIRECTS else ''}"
        return _unexpected(told.said, hook.answer)


_REDIRECTS = range(300, 400)
_REDIRECTED = ", a redirect, which is not followed"


def _unexpected(said: bytes, answer: JsonMapping) -> str | None:
    """What an answer lacks of what it must have."""
    if not answer:
        return None
    try:
        found = orjson.loads(said)
    except orjson.JSONDecodeError:
        return "its answer is not JSON"
    for name, expected in answer.items():
        value = found.get(name) if isinstance(found, dict) else None
        if value != expected:
            shown = f"{value}" if isinstance(value, int) else "something else, or nothing"
            return f"its answer has {shown} for {name}"
    return None
