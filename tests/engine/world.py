"""Whole runs in virtual time: the real composition against the simulated service, without HTTP and without waiting."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import orjson

from runner.app.carrying import Work, carry_out
from runner.app.display import Progress
from runner.app.host import Host, Stoppable
from runner.app.reporting import NamedReport, ReportPlaces
from runner.app.running import RunOptions, more_work, new_work
from runner.engine.ports import JobService
from runner.engine.run import Deadline, RunEngine
from runner.files.writing import Data
from runner.journal.memory import MemoryStore
from runner.journal.memory_journal import MemoryJournal
from runner.journal.owner import Moment, Owner
from runner.journal.store import RunRecord, RunStore
from runner.plan.codec import hash_plan
from runner.plan.hooks import PlannedHook
from runner.plan.keys import number_in, run_token
from runner.plan.plan import Plan
from runner.plan.rollout.model import PlannedCheck
from runner.report.fold import Report, fold_report
from runner.report.format_names import ReportFormat
from runner.run import events as e
from runner.run.commands import Command, dated
from runner.run.facts import Facts
from runner.run.gate import Patience
from runner.run.standing import Standing
from runner.run.verdict import Verdict
from runner.simulator.behaviour import Behaviour
from runner.simulator.jobs import SimulatedJob
from runner.simulator.service import SimulatedService
from tests.engine.campaigns import Campaign, check_left_to_kin
from tests.engine.disk import Crash, Disk, ProcessStore
from tests.engine.explanations import Explanations
from tests.engine.network import Network, ServiceTime
from tests.engine.pictures import Pictured
from tests.engine.promises import INTRUDER, Promises
from tests.engine.virtual import VirtualClock, VirtualLoop

DAY = 86_400.0
_LOCKED_S = (1.0, 15.0, 60.0)
_NAMES_EVERY = 3


class World:
    """One plan, one service, one store; `run` may be called again after a crash.

    There may be more campaigns beside: `turn_to` says which one is meant from then on.
    """

    def __init__(self, loop: VirtualLoop, plan: Plan, seed: int, switches: Any) -> None:
        behaviour = Behaviour.model_validate({"throttle": {"creates": None, "reads": None}, "seed": seed} | switches)
        self._loop = loop
        self.clock = VirtualClock(loop)
        service_time = ServiceTime(self.clock.monotonic)
        self.service = SimulatedService(behaviour, service_time)
        self.store = MemoryStore(now=self.clock.wall, moment=self._moment, alive=self._is_alive, renews=True)
        self.store.create_run(RunRecord(INTRUDER, "other", "", 0.0))
        self.network = Network(self.service, service_time, self, random.Random(seed), self.clock)
        self.campaigns: list[Campaign] = []
        self._last_jobs: dict[str, SimulatedJob] = {}
        self.turn_to(self.campaign_of(plan))
        self.engine: RunEngine | None = None
        self.stoppable: Stoppable | None = None
        self.patience = Patience()
        self.checks: list[tuple[PlannedCheck, float]] = []
        self.descriptors = 1024
        self.most_reads = 0
        self.own_simulator: Behaviour | None = None
        self.progress: Progress = Pictured()
        self.passes: Callable[[PlannedCheck], bool] = lambda check: True
        self.told: list[tuple[PlannedHook, Mapping[str, Any]]] = []
        self.tells: Callable[[PlannedHook, Mapping[str, Any]], tuple[float, str | None]] = lambda hook, signal: (
            0,
            None,
        )
        self.jumps = self.reboots = self.settings = self.suspends = self.freezes = self.intrusions = self.commit_s = (
            self.lockings
        ) = 0.0
        self.while_frozen: Callable[[], None] = lambda: None  # each second
        self.on_event: Callable[[e.Event], None] = lambda event: None
        self.files = LateReport()
        self.explanations = Explanations()
        self._unexplained: AssertionError | None = None
        loop.before_time_passes = self._is_explained
        self._rng = random.Random(seed)
        self._living: str | None = None
        self._has_ended = False
        self._seen = self._processes = self._looked = 0
        self._named: Path | None = None
        self._locked_until = 0.0
        self._ends: tuple[int | None, int | None, int | None] = (None, None, None)

    def campaign_of(self, plan: Plan) -> Campaign:
        """One more, which has not begun."""
        plan = replace(plan, plan_hash=hash_plan(plan))
        campaign = Campaign(plan, Promises(plan, self.store, self.clock, self._last_jobs))
        campaign.promises.is_known = lambda server: self.service.fleet.status(server) is not None
        campaign.promises.may_double = any(other.promises.may_double for other in self.campaigns)
        self.campaigns.append(campaign)
        return campaign

    def turn_to(self, campaign: Campaign) -> None:
        """From now on this one is meant."""
        self._campaign = campaign

    @property
    def plan(self) -> Plan:
        return self._campaign.plan

    @property
    def promises(self) -> Promises:
        return self._campaign.promises

    @property
    def run_id(self) -> str | None:
        return self._campaign.run_id

    @property
    def state(self) -> Facts:
        return self._campaign.state

    @property
    def last_look(self) -> float:
        return self._campaign.last_look

    def sent(self, request: Mapping[str, Any]) -> int:
        check_left_to_kin(self.store, self._campaign, self.campaigns, request["server_ids"])
        return self.promises.sent(request)

    def answered(self, lane: int) -> None:
        self.promises.answered(lane)

    def made(self, job: SimulatedJob) -> None:
        """A create may arrive late, when another campaign is at work."""
        for campaign in self.campaigns:
            if campaign.run_id and number_in(job.request["name"], run_token(campaign.run_id)) is not None:
                campaign.promises.made(job)

    def command(self, action: str, target: str = "", why: str = "", **settings: str) -> None:
        """Leave a command for the run, as a person would; before it begins, for as soon as it does."""
        command = dated(Command(action, target, settings), self.clock.wall(), lambda: None)
        body = orjson.dumps({"action": action, "target": target, "settings": dict(command.settings)}).decode()
        self._campaign.posted.append((why, body))
        self._post()

    def _post(self) -> None:
        posted = self._campaign.posted
        while self.run_id is not None and posted:
            self.store.post_command(self.run_id, self.clock.wall(), "someone", *posted.pop(0))

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
        self.engine, self.promises.deadline = None, deadline
        self._has_ended = False
        self._seen, self._ends = 0, (crash_after, stop_after, intake_ends_after)
        options = self.options(watched=watched, deadline=deadline)
        self._named = next((file.path for file in options.report.kept), None)
        if self._processes and self._rng.random() < self.jumps:
            self.set_wall(self._rng.choice((-3600.0, -30.0, 30.0, 3600.0)))
        if self._processes and self._rng.random() < self.reboots:
            self.clock.boots += 1
        self._processes += 1
        self._looked = len(self.network.list_calls_at)
        store = self._process = ProcessStore(self.store.beside(), self._opened)
        try:
            host = self.host(is_at_work=True)
            work = await self._work(host, store, options)
            result = await carry_out(host, cast("RunStore", store), work, options)
        finally:
            self._process_over(store)
        assert self._unexplained is None, self._unexplained
        if isinstance(self.progress, Pictured) and self.progress.wrong is not None:
            raise self.progress.wrong
        assert result.report.path in self.files.written
        assert self._campaign.report in {None, result.report.path}
        return result.verdict

    def options(self, *, watched: bool = True, deadline: Deadline | None = None) -> RunOptions:
        """How a person has a run carried out. Whoever goes on with it names a place for its report only now and then."""
        named = Path(f"/reports/{self._processes}.json") if self._processes % _NAMES_EVERY == 0 else None
        return RunOptions(
            Path("state"),
            self.progress,
            ReportPlaces(() if named is None else (NamedReport(ReportFormat.JSON, named),)),
            watch=watched,
            behaviour=self.own_simulator,
            deadline=deadline,
            patience=self.patience,
        )

    @property
    def owns(self) -> bool:
        """Whether the process at work, if there is one, may be sure that nobody else has its run."""
        return self._living is not None and self._process.owns

    def _process_over(self, store: ProcessStore) -> None:
        self._living = None
        self._campaign.last_look = max(self.network.list_calls_at[self._looked :], default=self.last_look)
        store.die()
        if self.run_id not in {row.id for row in self.store.runs()}:
            self._campaign.run_id = None  # it was refused before there was a run
        if self.engine is not None:
            self.promises.process_ended(self.engine.live)

    async def _work(self, host: Host, store: ProcessStore, options: RunOptions) -> Work:
        if self.run_id is None:
            work = new_work(host, self.plan, options)
            self._campaign.run_id = work.run_id
            self._post()
        else:
            work = await more_work(host, cast("RunStore", store), self.run_id, options)
        self._campaign.state = work.state
        self._looked = len(self.network.list_calls_at)
        self.promises.process_began(work.run_id, work.state, [] if work.is_new else self.events(), work.clock.now)
        return work

    def host(self, *, is_at_work: bool = False) -> Host:
        """The machine and the process of whoever gives a command now; or of the one that carries the run out."""
        return Host(
            clock=self.clock,
            environ={},
            chance=self._rng,
            identity=self._identity if is_at_work else _somebody,
            person=lambda: "someone",
            open_store=_not_here,
            open_services=self._open_services,
            open_lists=_not_here,
            open_checker=lambda redact, ca_bundle: self,
            open_sender=lambda redact, ca_bundle: self,
            interrupts=self._interrupts,
            files=self.files,
            run_loop=_not_here,
            zone=lambda: None,
            descriptors=self.descriptors,
        )

    def look(self) -> Standing:
        """How the run stands, for whoever looks on."""
        assert self.engine is not None
        return self.engine.look()

    def _is_explained(self, seconds: float) -> None:
        """Nothing is done for a while: whoever has the run says why."""
        if self._living is not None and self.engine is not None and self.run_id is not None:
            try:
                self.explanations.check(self.engine, self.promises.rollout, self.clock, seconds)
            except AssertionError as unexplained:
                self._unexplained = unexplained
                self.engine.fail(unexplained)

    def _identity(self, token: str) -> Owner:
        self._living = token
        return Owner("h", 1, 1, token)

    def _moment(self) -> Moment:
        return Moment(self.clock.boot, self._loop.time())

    def _is_alive(self, owner: Owner) -> bool:
        return owner.token == self._living

    async def _open_services(
        self, stack: AsyncExitStack, plan: Plan, redact: Callable[[str], str], *, most_reads: int, **_: Any
    ) -> Sequence[JobService]:
        del stack, redact
        self.most_reads = most_reads
        return [self.network for _ in plan.lanes]

    @contextmanager
    def _interrupts(self) -> Iterator[World]:
        yield self

    def stop_first(self, run: Stoppable) -> None:
        self.stoppable = run
        if isinstance(run, RunEngine):
            self.engine = run

    async def send(self, hook: PlannedHook, signal: Mapping[str, Any]) -> str | None:
        """What becomes of telling somebody: `tells` says how long that takes, and why it fails if it does."""
        self.told.append((hook, signal))
        takes_s, trouble = self.tells(hook, signal)
        await asyncio.sleep(takes_s)
        return trouble

    async def check(self, check: PlannedCheck) -> tuple[bool, str]:
        self.checks.append((check, self._loop.time()))
        await asyncio.sleep(1.0)
        return self.passes(check), "as told"

    def _opened(self, journal: MemoryJournal) -> Disk:
        self.promises.is_owned = lambda: journal.is_owned
        return Disk(journal, self.commit_s, self._appended, self.promises.written)

    def _appended(self, event: e.Event) -> None:
        """An event has changed the state, and is on its way to the journal."""
        self._seen += 1
        self._campaign.report, self._named = self._named or self._campaign.report, None
        self.promises.recorded(event)
        self.explanations.recorded()
        self.on_event(event)
        if not self._has_ended:  # later on what could not be told is put on record, and the servers are anybody's
            self._has_ended = isinstance(event, e.RunEnded)
            self._troubled(event)

    def _troubled(self, event: e.Event) -> None:
        """Whatever may happen meanwhile does."""
        crash_after, stop_after, intake_ends_after = self._ends
        # What is left to the family is told of right after these, by one event for each group of each retry.
        if not isinstance(event, e.RunStarted | e.RunResumed | e.LeftOut) and self._rng.random() < self.intrusions:
            self.promises.intrude(self._rng.sample(self._servers, 1))
        if self._rng.random() < self.freezes:
            self._freeze(self._rng.choice((5, 60)))
        if self._rng.random() < self.suspends:
            self.clock.suspend(self._rng.choice((5.0, 60.0, 3600.0, 10_800.0)))
        if self._rng.random() < self.lockings:
            self._lock(self._rng.choice(_LOCKED_S))
        if self._rng.random() < self.settings:
            self.set_wall(self._rng.choice((-3600.0, -30.0, 30.0, 3600.0)))
        if crash_after is not None and self._seen >= crash_after:
            self._process.die()
            self.network.signatures.died(store_locked=self._loop.now < self._locked_until)
            raise Crash
        if self.engine is None or isinstance(event, e.RunEnded):
            return
        if self._seen == stop_after:
            self._loop.call_soon(self.engine.stop, "SIGTERM received")
        if self._seen == intake_ends_after:
            self._loop.call_soon(self.engine.end_intake, "enough")

    def _lock(self, seconds: float) -> None:
        """Another process has the store."""
        if self._loop.now >= self._locked_until:
            self.network.signatures.store_locked()
        self._locked_until = max(self._locked_until, self._loop.now + seconds)
        self.store.lock(seconds)

    def set_wall(self, by_s: float) -> None:
        """Somebody sets the wall clock."""
        self.clock.set_wall(by_s)
        self.promises.wall_was_set(by_s)

    def released(self) -> None:
        """Somebody gives the servers of the run free, while no process has it open."""
        self.promises.released()

    def waits_for(self) -> str:
        """What is left to do, for a story that does not end."""
        lanes = [
            {
                "unsubmitted": lane.unsubmitted,
                "in_flight": lane.in_flight,
                "doubts": dict(lane.doubts),
                "open": dict(lane.open),
                "stopped": lane.stopped,
            }
            for lane in self.state.lanes
        ]
        wave = self.state.rollout and self.state.rollout.wave
        return f"wall {self.clock.wall():.0f}, {lanes}, {self.state.controls}, wave {wave}"

    @property
    def _servers(self) -> list[str]:
        return [server.id for group in self.plan.groups for server in group.servers]

    def tear(self, entries: int) -> None:
        """Lose the last transactions, as a power cut may where the disk lies about what it has written."""
        assert self.run_id is not None
        self.store.tear(self.run_id, entries)
        if entries and self.own_simulator is None:
            # And with these transactions it is lost that servers were given free, which came later.
            self._let_locks_go()
            self.store.lease(self.run_id, self._servers)
        self.promises.torn(self.events())

    def _freeze(self, seconds: int) -> None:
        """The process stands still, and nobody else does."""
        for _ in range(seconds):
            self._loop.now += 1.0
            self.while_frozen()

    def _let_locks_go(self) -> None:
        """Whoever has the store locked is gone with the machine."""
        self._loop.now = max(self._loop.now, self._locked_until)

    def events(self) -> list[e.Event]:
        assert self.run_id is not None
        return list(self.store.read_events(self.run_id))

    def report(self) -> Report:
        assert self.run_id is not None
        return fold_report(self.plan, self.run_id, self.events())


class LateReport:
    """Files as a machine has them that keeps all that is written, and where nothing else is."""

    def __init__(self) -> None:
        self.written: dict[Path, bytes] = {}

    def write(self, path: Path, data: Data, *, private: bool = False) -> None:
        del private
        self.written[path] = data if isinstance(data, bytes) else b"".join(data)

    def check(self, path: Path) -> None:
        pass

    def is_stream(self, path: Path) -> bool:
        del path
        return False


class Blind:
    """Shows nothing."""

    def begin(self, run_id: str, state: Facts, look: Callable[[], Standing]) -> None:
        pass

    def observe(self, event: e.Event) -> None:
        pass

    def notice(self, text: str) -> None:
        pass

    async def show(self, state: Facts) -> None:
        del state
        await asyncio.Event().wait()


def _somebody(token: str) -> Owner:
    return Owner("h", 2, 2, token)


def _not_here(*_: Any, **__: Any) -> Any:
    raise AssertionError("a story has a store and a loop already")


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


async def _in_time(world: World, story: Callable[[World], Coroutine[Any, Any, Any]], longest_s: float) -> Any:
    telling = asyncio.create_task(story(world))
    try:
        await asyncio.wait([telling], timeout=longest_s)
        if telling.done():
            return telling.result()
        raise AssertionError(f"the story does not end: {world.waits_for()}")
    finally:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def play(
    plan: Plan,
    story: Callable[[World], Coroutine[Any, Any, Any]],
    *,
    seed: int = 0,
    longest_s: float = 10 * DAY,
    **switches: Any,
) -> Any:
    """Run `story(world)` in virtual time. Nothing that happened in it, in whichever callback, may break a promise.

    A story that has not ended after `longest_s` waits for something that never comes, though timers keep it going.
    """
    loop = VirtualLoop()
    broken: list[BaseException] = []
    loop.set_exception_handler(lambda _, context: broken.append(context.get("exception") or Crash(context["message"])))
    try:
        told = loop.run_until_complete(_in_time(World(loop, plan, seed, switches), story, longest_s))
        if broken:
            raise broken[0]
        return told
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
