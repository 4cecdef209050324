"""The simulator: its behaviour from a file, and serving it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from runner.errors import InvalidInput, Problem
from runner.simulator.behaviour import Behaviour, load_behaviour
from runner.spec.yaml_source import decode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def simulator_behaviour(path: Path | None, *, demo: bool) -> Behaviour:
    """How a simulator is to behave: as a file says; without one, quickly and kindly (`demo`), or carefully."""
    if path is None:
        return Behaviour.demo() if demo else Behaviour()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(Problem(f"cannot be read: {error.strerror}", str(path))) from error
    return load_behaviour(decode(data, str(path)), str(path))


def serve_simulator(behaviour: Behaviour, port: int, say: Callable[[str], None]) -> None:
    """Serve on 127.0.0.1 until interrupted."""
    asyncio.run(_serve(behaviour, port, say))


async def _serve(behaviour: Behaviour, port: int, say: Callable[[str], None]) -> None:
    from runner.simulator.server import Simulator  # noqa: PLC0415  brings aiohttp, which takes long to import

    async with Simulator(behaviour, port=port) as simulator:
        keys = ", ".join(f"{access} / {secret}" for access, secret in behaviour.auth.access_keys.items())
        say(f"simulated Lite Server API on {simulator.url} (access key / secret key: {keys}); Ctrl-C ends it")
        await asyncio.Event().wait()
