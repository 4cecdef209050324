"""Whole runs in virtual time: the real engine against the simulated service, without HTTP and without waiting."""

from __future__ import annotations

import asyncio
import math
import random
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
import pytest

from runner.campaign import events as e
from runner.campaign.answers import Accepted, Answer, Cause, InDoubt, ReadFailed, Refused, ServiceError, Throttle
from runner.campaign.evolve import replay
from runner.campaign.state import RunState, new_state
from runner.campaign.verdict import Verdict
from runner.engine.lane import LaneContext
from runner.engine.pace import Pace
from runner.engine.recorder import Recorder
from runner.engine.run import RunEngine
from runner.engine.submitting import INTENT_GOOD_FOR_S
from runner.journal.memory import MemoryStore
from runner.journal.owner import Owner
from runner.journal.store import RunRecord
from runner.model import Job, JobPage, JobRow, Task
from runner.plan.keys import job_name, request_key, run_token
from runner.plan.plan import Plan
from runner.report.fold import Report, fold_report
from runner.simulator.behaviour import Behaviour
from runner.simulator.service import SimulatedService

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
        return super().select(0)


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


class Lossy:
    """The simulated service behind a network that loses answers, before or after the job is made."""

    def __init__(
        self, service: SimulatedService, rng: random.Random, *, lost: float = 0.0, reads_lost: float = 0.0
    ) -> None:
        self.service = service
        self.creates: list[tuple[int, float]] = []
        self.throttled = 0.0
        self.allowed: Callable[[str], int] = lambda name: 0
        self.doubles = False
        self.late_by: float | None = None
        self.in_flight = self.most_in_flight = 0
        self._rng = rng
        self._lost = lost
        self._reads_lost = reads_lost

    async def create(self, body: bytes) -> Answer:  # noqa: PLR0911  one for each thing that can happen
        lane = self.allowed(orjson.loads(body)["name"])
        self.creates.append((lane, asyncio.get_running_loop().time()))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(0.05)
        self.in_flight -= 1
        if self.doubles:
            self.service.create(orjson.loads(body))
            self.service.create(orjson.loads(body))
            return InDoubt(ServiceError(504, None, "the gateway sent it twice", None))
        if self.late_by is not None:
            asyncio.get_running_loop().call_later(self.late_by, self.service.create, orjson.loads(body))
            self.late_by = None
            return InDoubt(ServiceError(None, "Lost", "the answer was lost", None))
        if self._rng.random() < self.throttled:
            numbers = Throttle(limit=600, period_s=60.0) if self._rng.random() < 0.5 else Throttle()
            return Refused(Cause.THROTTLED, ServiceError(429, "APIGW.0308", "throttled", None), numbers)
        if self._rng.random() < self._lost:
            if self._rng.random() < 0.5:
                self.service.create(orjson.loads(body))
            return InDoubt(ServiceError(None, "Lost", "the answer was lost", None))
        reply = self.service.create(orjson.loads(body))
        if reply.status == 200:
            return Accepted(_job(reply.body))
        error = ServiceError(reply.status, reply.body["error_code"], reply.body["error_msg"], None)
        if reply.status == 429:
            return Refused(Cause.THROTTLED, error, Throttle(limit=10, period_s=60.0))
        return Refused(Cause.BUSY if error.code == "ModelArts.6357" else Cause.INVALID, error)

    async def get(self, job_id: str) -> Job | ReadFailed:
        await asyncio.sleep(0.05)
        reply = self.service.get(job_id)
        if self._rng.random() < self._reads_lost or reply.status == 429:
            return ReadFailed(Cause.UNREACHABLE, ServiceError(503, None, "unavailable", None))
        if reply.status != 200:
            return ReadFailed(Cause.INVALID, ServiceError(reply.status, None, "missing", None), missing=True)
        return _job(reply.body)

    async def list(self, *, name: str | None, offset: int, limit: int) -> JobPage | ReadFailed:
        await asyncio.sleep(0.05)
        if self._rng.random() < self._reads_lost:
            return ReadFailed(Cause.UNREACHABLE, ServiceError(503, None, "unavailable", None))
        reply = self.service.list_jobs({"name": name or "", "offset": str(offset), "limit": str(limit)})
        rows = tuple(
            JobRow(row["id"], row["name"], row["status"], row["create_at"] / 1000) for row in reply.body["data"]
        )
        return JobPage(rows, reply.body["total"])


def _job(body: dict[str, Any]) -> Job:
    tasks = tuple(
        Task(t["id"], t["server_id"], t["server_name"], t["status"], t["message"], None, None, None)
        for t in body["tasks"]
    )
    at, to = body["create_at"] / 1000, body["update_at"] / 1000
    return Job(
        body["id"], body["name"], body["type"], body["status"], body["abnormal_count"], None, None, at, to, tasks
    )


class World:
    """One plan, one service, one store; `run` may be called again after a crash."""

    def __init__(self, loop: VirtualLoop, plan: Plan, seed: int, lost: float, reads_lost: float, switches: Any) -> None:
        behaviour = Behaviour.model_validate({"throttle": {"creates": None, "reads": None}, "seed": seed} | switches)
        self.plan = plan
        self.service = SimulatedService(behaviour, loop.time)
        self.network = Lossy(self.service, random.Random(seed), lost=lost, reads_lost=reads_lost)
        self.clock = VirtualClock(loop)
        self.store = MemoryStore(now=loop.time, alive=lambda owner: False)
        self.store.create_run(RunRecord(RUN, "test", plan.plan_hash, 0.0))
        self.engine: RunEngine | None = None
        self.state: RunState | None = None
        self.network.allowed = self._check_create
        self.names: dict[str, int] = {}
        self.jumps = self.freezes = 0.0
        self._loop = loop
        self._rng = random.Random(seed)
        self._opened = 0
        self._intended_at: dict[int, float] = {}

    def _check_create(self, name: str) -> int:
        """Nothing is sent on an old intent, nor when the run was asked to stop. Returns the lane."""
        request = self.names[name]
        assert self._loop.time() - self._intended_at[request] <= INTENT_GOOD_FOR_S
        assert self.state is not None
        assert self.state.stop_reason is None
        return self.plan.groups[self.plan.requests[request].group].lane

    async def run(
        self, *, watched: bool = True, crash_after: int | None = None, stop_after: int | None = None
    ) -> Verdict:
        """Carry the run out, or go on with it; crash, or be asked to stop, when so many events were recorded."""
        state = new_state(self.plan)
        replay(state, self.store.read_events(RUN))
        self._opened += 1
        if self._rng.random() < self.jumps:
            self.clock.jumped_s += self._rng.choice((-3600.0, -30.0, 30.0, 3600.0))
        journal = self.store.open_run(RUN, Owner("h", 1, 1, f"t{self._opened}"))
        self.state = state
        seen = 0

        def observe(event: e.Event) -> None:
            nonlocal seen
            seen += 1
            if isinstance(event, e.Intended):
                self._intended_at[event.request] = self._loop.time()
            if self._rng.random() < self.freezes:
                self._loop.now += self._rng.choice((5.0, 60.0))
            if crash_after is not None and seen >= crash_after:
                raise Crash
            if seen == stop_after and self.engine is not None:
                self._loop.call_soon(self.engine.stop, "SIGTERM received")

        recorder = Recorder(state, journal, observe)
        now = self.clock.now()
        if self._opened > 1:
            recorder.record(e.RunResumed(now, "0"))
        else:
            recorder.record(e.RunStarted(now, "test", self.plan.plan_hash, "0", simulated=False, watched=watched))
        self.engine = RunEngine(recorder, self._lanes(state, recorder, resumed=self._opened > 1), self.clock)
        return await self.engine.run()

    def _lanes(self, state: RunState, recorder: Recorder, *, resumed: bool) -> list[LaneContext]:
        token = run_token(RUN)
        submit, watch = self.plan.submit, self.plan.watch
        rate = None if math.isinf(submit.rate) else submit.rate

        def name_of(request: int) -> str:
            return job_name(str(self.plan.requests[request].body["name"]), request_key(token, request))

        def body_of(request: int) -> bytes:
            ids = [server.id for server in state.servers_of(request)]
            return orjson.dumps({**self.plan.requests[request].body, "name": name_of(request), "server_ids": ids})

        self.names = {name_of(index): index for index in range(len(self.plan.requests))}
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

    def events(self) -> list[e.Event]:
        return list(self.store.read_events(RUN))

    def report(self) -> Report:
        return fold_report(self.plan, RUN, self.events())


class Crash(BaseException):
    """The process died here."""


InWorld = Callable[..., Any]


def play(
    plan: Plan,
    story: Callable[[World], Coroutine[Any, Any, Any]],
    *,
    seed: int = 0,
    lost: float = 0.0,
    reads_lost: float = 0.0,
    throttled: float = 0.0,
    jumps: float = 0.0,
    freezes: float = 0.0,
    **switches: Any,
) -> Any:
    """Run `story(world)` in virtual time. `jumps` is a chance per process, `freezes` one per event."""
    loop = VirtualLoop()
    try:
        world = World(loop, plan, seed, lost, reads_lost, switches)
        world.network.throttled, world.jumps, world.freezes = throttled, jumps, freezes
        return loop.run_until_complete(story(world))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@pytest.fixture
def in_world() -> InWorld:
    return play
