"""A run that changes hands, or cannot be written for a while, in virtual time: what it sends, and what it does not."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

import orjson
import pytest

from runner.app.remembering import credentials_of
from runner.engine.lane import LaneContext
from runner.engine.pace import Pace
from runner.engine.recorder import Recorder
from runner.engine.refusals import CredentialMemory, KeptInProcess
from runner.engine.run import RunEngine
from runner.engine.submitter import INTENT_GOOD_FOR_S
from runner.journal.memory import MemoryStore
from runner.journal.memory_journal import MemoryJournal
from runner.journal.owner import Owner
from runner.journal.ownership import LEASE_S
from runner.journal.store import Leased, OwnershipLost, RunIsOpen, RunRecord
from runner.run import events as e
from runner.run.facts import initial_facts
from runner.run.verdict import Verdict
from runner.simulator.behaviour import Behaviour
from runner.simulator.jobs import SimulatedJob
from runner.simulator.service import SimulatedService
from runner.spec.campaign import Submit
from tests.conftest import small_plan
from tests.engine.network import Network, ServiceTime
from tests.engine.virtual import VirtualClock, VirtualLoop
from tests.journal.conftest import unknown

ME = Owner("pod", 1, 10, "token-1", "boot pid:1")
OTHER = Owner("pod", 1, 20, "token-2", "boot pid:2")
RUN, REQUESTS = "run-1", 20


class Onlooker:
    """Notes when creates leave."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.sent_at: list[float] = []
        self.made_of: Counter[str] = Counter()

    def sent(self, request: Mapping[str, Any]) -> int:
        assert request["server_ids"]
        self.sent_at.append(self._loop.time())
        return 0

    def answered(self, lane: int) -> None:
        pass

    def made(self, job: SimulatedJob) -> None:
        self.made_of[job.request["name"]] += 1


class Place:
    """A run at work in a store whose owners renew; `on_event` is called for each event."""

    def __init__(self, loop: VirtualLoop, rate: float) -> None:
        self.loop = loop
        self.plan = small_plan((REQUESTS,), (1,), Submit(rate, 1, concurrency=4, settle_s=1.0))
        self.servers = [server.id for group in self.plan.groups for server in group.servers]
        self.store = MemoryStore(now=loop.time, alive=unknown, renews=True)
        self.store.create_run(RunRecord(RUN, "test", self.plan.plan_hash, 0.0, None, self.servers, 60.0))
        self.other = self.store.beside()
        self.onlooker = Onlooker(loop)
        self.events: list[e.Event] = []
        self.on_event: Callable[[e.Event], None] = lambda event: None
        self.clock = VirtualClock(loop)

    async def run(self, wrap: Callable[[MemoryJournal], Any] = lambda journal: journal) -> Verdict:
        state = initial_facts(self.plan)
        journal = self.store.open_run(RUN, ME)
        recorder = Recorder(state, wrap(journal), self._observe)
        engine = RunEngine(recorder, [self._lane(recorder)], self.clock)
        journal.on_failure(engine.fail)
        recorder.record(e.RunStarted(self.loop.time(), "test", self.plan.plan_hash, "0", simulated=False, watched=True))
        return await engine.run()

    def _observe(self, event: e.Event) -> None:
        self.events.append(event)
        self.on_event(event)

    def _lane(self, recorder: Recorder) -> LaneContext:
        service_time = ServiceTime(self.loop.time)
        behaviour = {"throttle": {"creates": None, "reads": None}, "tasks": {"duration_s": 5.0}}
        service = SimulatedService(Behaviour.model_validate(behaviour), service_time)
        network = Network(service, service_time, self.onlooker, random.Random(0), self.clock)

        def body_of(request: int) -> bytes:
            ids = [server.id for server in recorder.state.servers_of(request)]
            body = recorder.state.requests[request].body
            return orjson.dumps({**body, "name": f"job-{request}", "server_ids": ids})

        rate = self.plan.submit.rate
        return LaneContext(
            index=0,
            service=network,
            recorder=recorder,
            clock=self.clock,
            creates=Pace(None if math.isinf(rate) else rate, 1, self.clock),
            reads=Pace(100.0, 10, self.clock),
            credential=credentials_of([network], CredentialMemory(KeptInProcess(), self.clock.wall, "a"), self.clock)[
                0
            ],
            body_of=body_of,
            job_name_of=lambda request: f"job-{request}",
            run_token="job",
            jitter=lambda: 0.0,
        )

    def count(self, kind: type[e.Event]) -> int:
        return sum(isinstance(event, kind) for event in self.events)

    def freeze_at(self, event_number: int, meanwhile: Callable[[], None]) -> None:
        """When so many events were recorded, `meanwhile` happens while this process stands still."""

        def freeze(event: e.Event) -> None:
            if len(self.events) == event_number:
                meanwhile()

        self.on_event = freeze

    def try_for(self, seconds: int, take: Callable[[], object]) -> bool:
        """Another process tries each second, as a command does; whether it got what it wanted."""
        for _ in range(seconds):
            self.loop.now += 1.0
            try:
                take()
            except (RunIsOpen, Leased):
                continue
            return True
        return False


Story = Callable[[Place], Coroutine[Any, Any, None]]


def tell(story: Story, rate: float = 2.0) -> None:
    loop = VirtualLoop()
    try:
        loop.run_until_complete(asyncio.wait_for(story(Place(loop, rate)), 3600.0))
    finally:
        loop.close()


TAKES: dict[str, Callable[[Place], object]] = {
    "released": lambda place: place.other.fence(RUN),
    "resumed": lambda place: place.other.open_run(RUN, OTHER),
    "leased": lambda place: place.other.create_run(
        RunRecord("run-2", "c", place.plan.plan_hash, 1.0, OTHER, place.servers, 60.0)
    ),
}


@pytest.mark.parametrize("take", TAKES)
@pytest.mark.parametrize("event_number", range(2, 40, 3))
def test_who_was_frozen_until_its_run_was_taken_sends_nothing_when_it_wakes(take: str, event_number: int) -> None:
    async def story(place: Place) -> None:
        woke_at: list[float] = []

        def taken_while_frozen() -> None:
            assert place.try_for(100, lambda: TAKES[take](place))
            woke_at.append(place.loop.time())

        place.freeze_at(event_number, taken_while_frozen)
        with pytest.raises((OwnershipLost, ExceptionGroup)) as stopped:
            await place.run()
        assert stopped.group_contains(OwnershipLost) or stopped.type is OwnershipLost
        assert woke_at
        assert not [at for at in place.onlooker.sent_at if at >= woke_at[0]]

    tell(story)


@pytest.mark.parametrize("frozen_s", [5.0, 25.0, 600.0])
@pytest.mark.parametrize("rate", [2.0, math.inf])
def test_who_was_frozen_and_not_replaced_goes_on(frozen_s: float, rate: float) -> None:
    async def story(place: Place) -> None:
        def frozen() -> None:
            place.loop.now += frozen_s

        place.freeze_at(20, frozen)
        await place.run()
        assert place.onlooker.made_of == {f"job-{request}": 1 for request in range(REQUESTS)}

    tell(story, rate)


@pytest.mark.parametrize("event_number", [3, 10, 20])
@pytest.mark.parametrize("rate", [2.0, math.inf])
def test_a_store_that_is_locked_for_a_minute_pauses_sending(rate: float, event_number: int) -> None:
    async def story(place: Place) -> None:
        until: list[float] = []

        def locked() -> None:
            place.store.lock(60.0)
            until.append(place.loop.time() + 60.0)

        place.freeze_at(event_number, locked)
        await place.run()
        began, free = until[0] - 60.0, until[0]
        # What was durable before may still leave, while the intent and the ownership are good.
        last_s = min(INTENT_GOOD_FOR_S, LEASE_S)
        assert not [at for at in place.onlooker.sent_at if began + last_s < at < free]
        ahead = [event for event in place.events if began < event.at < free and isinstance(event, e.Intended)]
        assert len(ahead) <= 1  # the one that was waiting for its turn
        assert place.onlooker.made_of == {f"job-{request}": 1 for request in range(REQUESTS)}
        assert list(place.store.read_events(RUN)) == place.events

    tell(story, rate)


class Doubtful:
    """A journal that writes, but whose owner cannot be sure of the run from `since` on, for half a minute."""

    def __init__(self, journal: MemoryJournal, loop: VirtualLoop) -> None:
        self._journal = journal
        self._loop = loop
        self.since = math.inf
        self.is_blocked = False

    @property
    def is_owned(self) -> bool:
        return not self.since <= self._loop.time() < self.since + 30.0

    def append(self, events: Sequence[e.Event]) -> Awaitable[None]:
        return self._journal.append(events)


@pytest.mark.parametrize("rate", [2.0, math.inf])
def test_who_is_not_sure_to_own_the_run_sends_nothing_though_it_was_intended(rate: float) -> None:
    """The intents are durable and young: only the question asked right before the create holds them back."""

    async def story(place: Place) -> None:
        journals: list[Doubtful] = []

        def wrapped(journal: MemoryJournal) -> Doubtful:
            journals.append(Doubtful(journal, place.loop))
            return journals[0]

        def unsure_once_intended(event: e.Event) -> None:
            if isinstance(event, e.Intended) and place.count(e.Intended) == 5:
                journals[0].since = event.at

        place.on_event = unsure_once_intended
        await place.run(wrapped)
        since = journals[0].since
        assert not [at for at in place.onlooker.sent_at if since <= at < since + 30.0]
        assert 1 <= place.count(e.Lapsed) <= 2 * place.plan.submit.concurrency
        assert place.onlooker.made_of == {f"job-{request}": 1 for request in range(REQUESTS)}

    tell(story, rate)


def test_a_run_whose_servers_were_released_before_its_first_entry_ends() -> None:
    """Its engine is not at work yet when the journal fails; it would wait for ever, and nobody would know."""

    async def story(place: Place) -> None:
        def taken(journal: MemoryJournal) -> MemoryJournal:
            assert place.try_for(60, lambda: place.other.fence(RUN))
            return journal

        with pytest.raises(ExceptionGroup) as failed:
            await place.run(taken)
        assert failed.group_contains(OwnershipLost)
        assert not place.onlooker.sent_at

    tell(story)
