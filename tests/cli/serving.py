"""Simulated services inside the tests' own process, whose time can stand still."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager

from runner.simulator.behaviour import load_behaviour
from runner.simulator.server import Simulator

_BEGINS_WITHIN_S = 60.0


class ServiceClock:
    """A service's wall clock, epoch seconds, which stands still until it is let go on; from the start, or not at all."""

    def __init__(self, *, stands: bool) -> None:
        self._behind = 0.0
        self._stands_at = time.time() if stands else None

    def __call__(self) -> float:
        return time.time() - self._behind if self._stands_at is None else self._stands_at

    def go_on(self) -> None:
        """Go on from where it stands."""
        if self._stands_at is not None:
            self._behind, self._stands_at = time.time() - self._stands_at, None


@contextmanager
def served(behaviour: str, clock: ServiceClock) -> Iterator[str]:
    """The address of a simulated service in a thread of its own, until the block ends."""
    switches = load_behaviour(behaviour, "behaviour.yaml")
    loop, over, url = asyncio.new_event_loop(), asyncio.Event(), Future[str]()

    async def serve() -> None:
        async with Simulator(switches, clock=clock) as simulator:
            url.set_result(simulator.url)
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    try:
        yield url.result(_BEGINS_WITHIN_S)
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


class StartSimulator:
    """`simulator(behaviour)` serves one as told, until the test is over, and gives its address.

    With `lasting` no task is over before `let_tasks_end`: what must happen in between does, on a slow machine too.
    """

    def __init__(self, stack: ExitStack, default: str) -> None:
        self._stack = stack
        self._default = default
        self._clocks: list[ServiceClock] = []

    def __call__(self, behaviour: str | None = None, *, lasting: bool = False) -> str:
        self._clocks.append(ServiceClock(stands=lasting))
        return self._stack.enter_context(served(behaviour or self._default, self._clocks[-1]))

    def let_tasks_end(self) -> None:
        """Let time go on."""
        for clock in self._clocks:
            clock.go_on()
