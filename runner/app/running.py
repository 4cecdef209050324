"""From a plan to a report: a run, new or resumed, on the service or on a simulator."""

from __future__ import annotations

import asyncio
import gc
import math
import os
import random
import secrets
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from runner import __version__
from runner.app import families
from runner.app.bodies import BodyMaker
from runner.app.checking import LocalChecker
from runner.app.history import open_store, stored_plan, stored_run
from runner.app.posted import StoredCommands
from runner.app.process import Signals, first_error, run_loop
from runner.engine.clock import SystemClock
from runner.engine.lane import LaneContext
from runner.engine.pace import Pace
from runner.engine.recorder import Recorder
from runner.engine.run import Deadline, RunContext, RunEngine
from runner.errors import ExitCode, InvalidInput, Problem, RefusedToStart, RunStopped
from runner.journal.owner import this_process
from runner.journal.store import Leased, RunRecord
from runner.plan.codec import plan_to_json
from runner.plan.digests import plan_digests
from runner.plan.keys import run_token
from runner.run import events as e
from runner.run.evolve import replay
from runner.run.facts import Facts, initial_facts
from runner.run.gate import Patience
from runner.run.phases import IN_FLIGHT, Phase
from runner.run.standing import counts_by_name, standings, tally

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from runner.engine.ports import Clock, JobService
    from runner.journal.owner import Owner
    from runner.journal.store import RunStore
    from runner.plan.plan import Plan
    from runner.run.verdict import Verdict
    from runner.simulator.behaviour import Behaviour

_READS_BURST = 10
_LOCK_POLL_S = 0.5


class Progress(Protocol):
    """Shows a run while it goes on."""

    def begin(self, run_id: str, state: Facts) -> None:
        """Called once, before the first event: this is the run to show, and its state as it will change."""
        ...

    def observe(self, event: e.Event) -> None:
        """Called for every event: must cost next to nothing."""
        ...

    async def show(self, state: Facts) -> None:
        """Show how the run stands, until cancelled."""
        ...


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a plan is carried out. `behaviour` is that of the simulator to run against, None for the real service.

    `once_key` is that of the slot of a schedule that a new run is for. From `deadline` on nothing new is sent.
    """

    state_dir: Path
    progress: Progress
    report: Path | None = None
    watch: bool = True
    behaviour: Behaviour | None = None
    ca_bundle: Path | None = None
    wait_for_lock_s: float = 0.0
    deadline: Deadline | None = None
    once_key: str | None = None
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended, for the person who started it."""

    run_id: str
    exit_code: ExitCode
    resumable: bool
    summary: str
    report_path: Path


class AlreadyFinished(RefusedToStart):
    """There is nothing left to do of a run."""


def run_plan(plan: Plan, options: RunOptions) -> RunResult:
    """Carry a plan out as a new run.

    Raises:
        RefusedToStart: the deadline is over.
        SlotTaken: its slot has a run already.
    """
    if not options.watch and (len(plan.steps) > 1 or plan.rollout is not None):
        what = "several steps" if plan.rollout is None else "waves"
        raise InvalidInput(Problem(f"--no-wait: a campaign of {what} must be watched, for the next ones to start"))
    now = time.time()
    if options.deadline is not None and options.deadline.at <= now:
        raise RefusedToStart(
            f"deadline {options.deadline.text} is over: nothing would be sent", hint="give a later one"
        )
    run_id = f"{datetime.fromtimestamp(now, UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    started = e.RunStarted(
        now, plan.campaign, plan.plan_hash, __version__, options.behaviour is not None, options.watch
    )
    with open_store(options.state_dir) as store:
        families.refuse_mixed(store, plan, simulated=started.simulated)
        return _Run(store, run_id, plan, initial_facts(plan), options).carry_out(started)


def resume_run(text: str, options: RunOptions) -> RunResult:
    """Go on with a run: what was sent without an answer is looked up first."""
    with open_store(options.state_dir) as store:
        run_id = store.resolve(text)
        plan = stored_plan(store, run_id)
        state = initial_facts(plan)
        replay(state, store.read_events(run_id, without=("job_read",)))
        families.refuse_rehearsal(store.run(run_id))
        if state.ended is not None and state.ended.is_over:
            raise AlreadyFinished(f"run {run_id} is {state.ended}", hint=f"see it with `runner show {run_id}`")
        return _Run(store, run_id, plan, state, options).carry_out(e.RunResumed(time.time(), __version__))


@dataclass(slots=True)
class _Run:
    """One process's work on one run."""

    store: RunStore
    run_id: str
    plan: Plan
    state: Facts
    options: RunOptions
    left_out: list[e.LeftOut] = field(default_factory=list)

    def carry_out(self, first: e.Event) -> RunResult:
        gc.freeze()  # the plan stays: the collector need not look through it
        verdict = run_loop(self._drive(first))
        stored = stored_run(self.store, self.run_id, self.options.state_dir, self.plan)
        path = stored.write_report(self.options.report)
        resumable = not verdict.state.is_over and self.options.behaviour is None
        return RunResult(self.run_id, verdict.exit_code, resumable, stored.summary(), path)

    async def _drive(self, first: e.Event) -> Verdict:
        async with AsyncExitStack() as stack:
            bodies = BodyMaker(self.plan, self.run_id, self.state, os.environ)
            services = await self._services(stack, bodies)
            owner = this_process(secrets.token_hex(16))
            if isinstance(first, e.RunStarted):
                await self._patiently(self._create(self._record(first, owner)))
            else:
                await self._patiently(self._lease_the_rest)
            journal = self.store.open_run(self.run_id, owner)
            stack.callback(journal.close)
            # Only now is it certain that no other run of the family takes more: the servers are ours.
            self.left_out = self._find_left_out()
            self.options.progress.begin(self.run_id, self.state)
            recorder = Recorder(self.state, journal, self.options.progress.observe)
            clock = SystemClock()
            lanes = self._lanes(services, recorder, bodies, clock)
            checker, post = LocalChecker(bodies.redact, os.environ), StoredCommands(self.store, self.run_id)
            around = RunContext(self.options.deadline, self.options.patience, checker, post)
            engine = RunEngine(recorder, lanes, clock, around)
            journal.on_failure(engine.fail)
            try:
                return await self._at_work(engine, recorder.record, first)
            finally:
                if journal.failure is None:
                    self._let_go()

    def _let_go(self) -> None:
        ended = self.state.ended
        self.store.release(self.run_id, keep=() if ended is not None and ended.is_over else self._servers_at_work())
        # A process that is ended at once leaves no end in the journal, and so none in the list.
        if ended is not None:
            counts = tally(self.state, standings(self.state)).counts
            self.store.finish(self.run_id, ended, counts_by_name(counts))

    def _record(self, started: e.RunStarted, owner: Owner) -> RunRecord:
        servers = [] if started.simulated else self._servers_to_do()
        lease_s = self.plan.watch.job_timeout_s
        return RunRecord(
            self.run_id,
            started.campaign,
            started.plan_hash,
            started.at,
            owner,
            servers,
            lease_s,
            self.options.once_key,
            started.simulated,
            self.plan.parents,
        )

    async def _patiently(self, lease: Callable[[], None]) -> None:
        """Lease servers; where another run holds some, for as long as the user is ready to wait."""
        until = time.monotonic() + self.options.wait_for_lock_s
        while True:
            try:
                return lease()
            except Leased:
                if time.monotonic() >= until:
                    raise
            await asyncio.sleep(_LOCK_POLL_S)

    def _create(self, record: RunRecord) -> Callable[[], None]:
        """Make the run, with its plan anew each time: a plan that has no run may be pruned while servers are waited for."""
        body, digests = plan_to_json(self.plan), plan_digests(self.plan)

        def create() -> None:
            self.store.save_plan(self.plan.plan_hash, body, digests)
            self.store.create_run(record)

        return create

    def _lease_the_rest(self) -> None:
        """Lease what other runs of the family have not taken or done."""
        kept = {server for event in self._find_left_out() for server in event.servers}
        self.store.lease(self.run_id, [server for server in self._servers_to_do() if server not in kept])

    def _find_left_out(self) -> list[e.LeftOut]:
        return families.left_out(self.store, self.run_id, self.state, time.time())

    def _servers_to_do(self) -> list[str]:
        """Those of every request that is not over."""
        return self._servers_in(lambda phase: not phase.is_over)

    def _servers_at_work(self) -> list[str]:
        """Those that a job of ours may be working on."""
        return self._servers_in(IN_FLIGHT.__contains__)

    def _servers_in(self, chosen: Callable[[Phase], bool]) -> list[str]:
        requests = (request for request, phase in enumerate(self.state.phases) if chosen(phase))
        return list(
            dict.fromkeys(server.id for request in requests for server in self.state.requests.servers_of(request))
        )

    async def _at_work(
        self, engine: RunEngine, record: Callable[[e.Event], Awaitable[None]], first: e.Event
    ) -> Verdict:
        showing = asyncio.create_task(self.options.progress.show(self.state))
        try:
            with Signals(engine, asyncio.current_task()):
                # Only now, so that whoever sees the run has begun can already stop it.
                await record(first)
                for event in self.left_out:
                    record(event)
                return await engine.run()
        except BaseExceptionGroup as group:
            raise first_error(group) from group
        except asyncio.CancelledError:
            raise RunStopped(
                "ended at once; requests on their way are in doubt until they are looked up",
                hint=f"go on with: runner resume {self.run_id}",
            ) from None
        finally:
            showing.cancel()
            with suppress(asyncio.CancelledError):
                await showing

    async def _services(self, stack: AsyncExitStack, bodies: BodyMaker) -> Sequence[JobService]:
        """One service a lane. aiohttp is imported here: nothing before this point needs it."""
        from runner.app.services import open_lane_services  # noqa: PLC0415  see above

        return await open_lane_services(stack, self.plan, self.options.behaviour, self.options.ca_bundle, bodies.redact)

    def _lanes(
        self, services: Sequence[JobService], recorder: Recorder, bodies: BodyMaker, clock: Clock
    ) -> list[LaneContext]:
        submit, watch = self.plan.submit, self.plan.watch
        return [
            LaneContext(
                index=index,
                service=service,
                recorder=recorder,
                clock=clock,
                creates=Pace(_limit(self.state.rate), submit.burst, clock, resumed=self.state.started_at is not None),
                reads=Pace(_limit(watch.rate), _READS_BURST, clock),
                body_of=bodies.body_of,
                job_name_of=bodies.job_name_of,
                run_token=run_token(self.run_id),
                jitter=random.random,
            )
            for index, service in enumerate(services)
        ]


def _limit(rate: float) -> float | None:
    return None if math.isinf(rate) else rate
