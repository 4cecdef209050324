"""Whole runs in virtual time: the real engine against the simulated service, without HTTP and without waiting."""

from __future__ import annotations

import asyncio
import math
import random
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import orjson
import pytest

from runner.engine.lane import LaneContext
from runner.engine.pace import Pace
from runner.engine.ports import ReceivedCommand
from runner.engine.recorder import Recorder
from runner.engine.run import Deadline, RunContext, RunEngine
from runner.journal.memory import MemoryStore
from runner.journal.owner import Owner
from runner.journal.store import RunRecord
from runner.plan.keys import job_name, request_key, run_token
from runner.plan.plan import Plan
from runner.plan.rollout.model import PlannedCheck
from runner.report.fold import Report, fold_report
from runner.run import events as e
from runner.run.commands import Command
from runner.run.evolve import replay
from runner.run.facts import initial_facts
from runner.run.gate import Patience
from runner.run.verdict import Verdict
from runner.simulator.behaviour import Behaviour
from runner.simulator.service import SimulatedService
from tests.engine.disk import Disk
from tests.engine.network import Network, ServiceTime
from tests.engine.promises import Promises

RUN = "run-1"


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to the next timer whenever nothing else is to be done."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self.now


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._virtual = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise AssertionError("everything waits for something that never comes")
        self._virtual.now += max(0.0, timeout)
        return []  # no file and no socket is ever waited for


class VirtualClock:
    """The loop's time. The wall clock may have jumped from one process to the next, see `SystemClock`."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.jumped_s = 0.0

    def now(self) -> float:
        return self._loop.time() + self.jumped_s

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class World:
    """One plan, one service, one store; `run` may be called again after a crash."""

    def __init__(self, loop: VirtualLoop, plan: Plan, seed: int, switches: Any) -> None:
        behaviour = Behaviour.model_validate({"throttle": {"creates": None, "reads": None}, "seed": seed} | switches)
        self.plan = plan
        service_time = ServiceTime(loop.time)
        self.service = SimulatedService(behaviour, service_time)
        self.clock = VirtualClock(loop)
        self.store = MemoryStore(now=loop.time, alive=self._is_alive, takeover_s=math.inf)
        servers = [server.id for group in plan.groups for server in group.servers]
        self.store.create_run(RunRecord(RUN, "test", plan.plan_hash, 0.0, None, servers, plan.watch.job_timeout_s))
        self.promises = Promises(plan, RUN, self.store, loop.time)
        self.network = Network(self.service, service_time, self.promises, random.Random(seed), self.clock.now)
        self.engine: RunEngine | None = None
        self.state = initial_facts(plan)
        self.patience = Patience()
        self.posted: list[ReceivedCommand] = []
        self.checks: list[tuple[PlannedCheck, float]] = []
        self.left_out: dict[int, tuple[str, ...]] = {}
        self.passes: Callable[[PlannedCheck], bool] = lambda check: True
        self.jumps = self.freezes = self.intrusions = self.commit_s = 0.0
        self.on_event: Callable[[e.Event], None] = lambda event: None
        self._servers = servers
        self._loop = loop
        self._rng = random.Random(seed)
        self._opened = 0
        self._alive = False

    def command(self, action: str, target: str = "", why: str = "", **settings: str) -> None:
        """Leave a command for the run, as a person would."""
        self.posted.append(ReceivedCommand(len(self.posted) + 1, "someone", why, Command(action, target, settings)))

    def read(self, after: int) -> list[ReceivedCommand]:
        return [posted for posted in self.posted if posted.number > after]

    async def check(self, check: PlannedCheck) -> tuple[bool, str]:
        self.checks.append((check, self._loop.time()))
        await asyncio.sleep(1.0)
        return self.passes(check), "as told"

    def _is_alive(self, owner: Owner) -> bool:
        return self._alive and owner.token == f"t{self._opened}"

    async def run(
        self,
        *,
        watched: bool = True,
        crash_after: int | None = None,
        stop_after: int | None = None,
        intake_ends_after: int | None = None,
        deadline: Deadline | None = None,
    ) -> Verdict:
        """Carry the run out, or go on with it.

        When so many events were recorded: crash, or be asked to stop, or to send nothing new.
        """
        state = self.state = initial_facts(self.plan)
        journalled = self.events()
        replay(state, journalled)
        self._opened += 1
        if self._rng.random() < self.jumps:
            self.clock.jumped_s += self._rng.choice((-3600.0, -30.0, 30.0, 3600.0))
        self.promises.process_began(state, journalled)
        self.store.lease(RUN, self._servers)
        disk = Disk(
            self.store.open_run(RUN, Owner("h", 1, 1, f"t{self._opened}")), self.commit_s, self.promises.written
        )
        recorder = Recorder(state, disk, self._observer(crash_after, stop_after, intake_ends_after))
        self._alive = True
        try:
            return await self._carry_out(recorder, deadline, watched=watched)
        finally:
            self._alive = False
            disk.die()
            self.promises.process_ended(recorder.live)

    async def _carry_out(self, recorder: Recorder, deadline: Deadline | None, *, watched: bool) -> Verdict:
        resumed = self._opened > 1
        around = RunContext(deadline, self.patience, self, self)
        self.engine = RunEngine(recorder, self._lanes(recorder, resumed=resumed), self.clock, around)
        now = self.clock.now()
        if resumed:
            recorder.record(e.RunResumed(now, "0"))
        else:
            recorder.record(e.RunStarted(now, "test", self.plan.plan_hash, "0", simulated=False, watched=watched))
        for group, servers in self.left_out.items():
            recorder.record(e.LeftOut(now, group, servers, "another run"))
        return await self.engine.run()

    def _observer(
        self, crash_after: int | None, stop_after: int | None, intake_ends_after: int | None
    ) -> Callable[[e.Event], None]:
        seen = 0

        def observe(event: e.Event) -> None:
            nonlocal seen
            seen += 1
            self.promises.recorded(event)
            self.on_event(event)
            if self._rng.random() < self.intrusions:
                self.promises.intrude(self._rng.sample(self._servers, 1))
            if self._rng.random() < self.freezes:
                self._loop.now += self._rng.choice((5.0, 60.0))
            if crash_after is not None and seen >= crash_after:
                raise Crash
            if seen == stop_after and not isinstance(event, e.RunEnded) and self.engine is not None:
                self._loop.call_soon(self.engine.stop, "SIGTERM received")
            if seen == intake_ends_after and not isinstance(event, e.RunEnded) and self.engine is not None:
                self._loop.call_soon(self.engine.end_intake, "enough")

        return observe

    def _lanes(self, recorder: Recorder, *, resumed: bool) -> list[LaneContext]:
        token = run_token(RUN)
        submit, watch = self.plan.submit, self.plan.watch
        rate = None if math.isinf(submit.rate) else submit.rate

        state = recorder.state

        def name_of(request: int) -> str:
            return job_name(
                str(state.requests[request].body["name"]), request_key(token, state.requests.number_of(request))
            )

        def body_of(request: int) -> bytes:
            ids = [server.id for server in state.servers_of(request)]
            return orjson.dumps({**state.requests[request].body, "name": name_of(request), "server_ids": ids})

        return [
            LaneContext(
                index=index,
                service=self.network,
                recorder=recorder,
                clock=self.clock,
                creates=Pace(rate, submit.burst, self.clock, resumed=resumed),
                reads=Pace(watch.rate, 10, self.clock),
                body_of=body_of,
                job_name_of=name_of,
                run_token=token,
                jitter=self._rng.random,
            )
            for index in range(len(self.plan.lanes))
        ]

    def tear(self, entries: int) -> None:
        """Lose the last transactions, as a power cut may where the disk lies about what it has written."""
        self.store.tear(RUN, entries)
        self.promises.torn(self.events())

    def events(self) -> list[e.Event]:
        return list(self.store.read_events(RUN))

    def report(self) -> Report:
        return fold_report(self.plan, RUN, self.events())


class Crash(BaseException):
    """The process died here."""


async def until_it_dies(running: Awaitable[Any]) -> None:
    """Wait for a process that may crash, and may do nothing else."""
    try:
        await running
    except Crash:
        pass
    except BaseExceptionGroup as group:
        _, others = group.split(Crash)
        if others is not None:
            raise others from None


InWorld = Callable[..., Any]


def play(plan: Plan, story: Callable[[World], Coroutine[Any, Any, Any]], *, seed: int = 0, **switches: Any) -> Any:
    """Run `story(world)` in virtual time. Nothing that happened in it, in whichever callback, may break a promise."""
    loop = VirtualLoop()
    broken: list[BaseException] = []
    loop.set_exception_handler(lambda _, context: broken.append(context.get("exception") or Crash(context["message"])))
    try:
        told = loop.run_until_complete(story(World(loop, plan, seed, switches)))
        if broken:
            raise broken[0]
        return told
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@pytest.fixture
def in_world() -> InWorld:
    return play
