"""Simulated services inside the tests' own process, whose time can stand still."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager

from runner.simulator.behaviour import Deviations, load_behaviour
from runner.simulator.jobs import SimulatedJob
from runner.simulator.server import Simulator

_BEGINS_WITHIN_S = 60.0


class ServiceClock:
    """A service's wall clock, epoch seconds, which stands still until it is let go on; from the start, or not at all."""

    def __init__(self, *, stands: bool) -> None:
        self._behind = 0.0
        self._stands_at = time.time() if stands else None

    def __call__(self) -> float:
        return time.time() - self._behind if self._stands_at is None else self._stands_at

    def forward(self, seconds: float) -> None:
        """Let so much time pass at once."""
        assert self._stands_at is not None
        self._stands_at += seconds

    def go_on(self) -> None:
        """Go on from where it stands."""
        if self._stands_at is not None:
            self._behind, self._stands_at = time.time() - self._stands_at, None


@contextmanager
def served(behaviour: str, clock: ServiceClock) -> Iterator[Simulator]:
    """A simulated service in a thread of its own, until the block ends."""
    switches = load_behaviour(behaviour, "behaviour.yaml")
    loop, over, begun = asyncio.new_event_loop(), asyncio.Event(), Future[Simulator]()

    async def serve() -> None:
        async with Simulator(switches, clock=clock) as simulator:
            begun.set_result(simulator)
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    try:
        yield begun.result(_BEGINS_WITHIN_S)
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
        self._simulators: list[Simulator] = []

    def __call__(self, behaviour: str | None = None, *, lasting: bool = False) -> str:
        self._clocks.append(ServiceClock(stands=lasting))
        self._simulators.append(self._stack.enter_context(served(behaviour or self._default, self._clocks[-1])))
        return self._simulators[-1].url

    def let_tasks_end(self) -> None:
        """Let time go on."""
        for clock in self._clocks:
            clock.go_on()

    def pass_time(self, seconds: float) -> None:
        """Let so much time pass at once, where it stands still."""
        for clock in self._clocks:
            clock.forward(seconds)

    @property
    def jobs(self) -> Mapping[str, SimulatedJob]:
        """What the newest service has made, by id."""
        return self._simulators[-1].service.jobs

    @property
    def calls(self) -> Mapping[str, int]:
        """How many calls of each kind the newest service had."""
        return self._simulators[-1].service.calls

    def deviates(self, **switches: str) -> None:
        """Have the service break what is assumed of it, from now on in this way only."""
        for simulator in self._simulators:
            simulator.service.deviations = Deviations.model_validate(switches)
