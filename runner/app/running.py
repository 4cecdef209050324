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
from runner.app.bodies import BodyMaker
from runner.app.checking import LocalChecker
from runner.app.history import open_store, stored_plan, stored_run
from runner.app.operating import StoredCommands
from runner.app.process import Signals, first_error, run_loop
from runner.app.programs import refuse_unready
from runner.engine.clock import SystemClock
from runner.engine.lane import LaneContext
from runner.engine.pace import Pace
from runner.engine.recorder import Recorder
from runner.engine.run import Deadline, RunContext, RunEngine
from runner.errors import ExitCode, InvalidInput, Problem, RefusedToStart, RunStopped
from runner.journal.owner import this_process
from runner.journal.store import Leased, RunRecord
from runner.model import Outcome, RunState
from runner.plan.codec import plan_to_json
from runner.plan.keys import run_token
from runner.rules.outcomes import OUTCOME
from runner.run import events as e
from runner.run.evolve import replay
from runner.run.facts import Facts, Phase, initial_facts
from runner.run.gate import Patience

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
        InvalidInput: it cannot be carried out here: a check's program or variable is missing.
        RefusedToStart: the deadline is over, or a check's program is not the one that was planned.
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
    refuse_unready(plan, os.environ)
    run_id = f"{datetime.fromtimestamp(now, UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    started = e.RunStarted(
        now, plan.campaign, plan.plan_hash, __version__, options.behaviour is not None, options.watch
    )
    with open_store(options.state_dir) as store:
        return _Run(store, run_id, plan, initial_facts(plan), options).carry_out(started)


def resume_run(text: str, options: RunOptions) -> RunResult:
    """Go on with a run: what was sent without an answer is looked up first."""
    with open_store(options.state_dir) as store:
        run_id = store.resolve(text)
        plan = stored_plan(store, run_id)
        state = initial_facts(plan)
        replay(state, store.read_events(run_id, without=("job_read",)))
        if state.simulated:
            raise RefusedToStart(f"run {run_id} was against a simulator, which ended with it", hint="start a new one")
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
                self.store.save_plan(self.plan.plan_hash, plan_to_json(self.plan))
                await self._patiently(lambda: self.store.create_run(self._record(first, owner)))
            else:
                await self._patiently(lambda: self.store.lease(self.run_id, self._servers_to_do()))
            journal = self.store.open_run(self.run_id, owner)
            stack.callback(journal.close)
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
                    self.store.finish(self.run_id, self.state.ended or RunState.STOPPED, _counts(self.state))

    def _let_go(self) -> None:
        is_over = self.state.ended is not None and self.state.ended.is_over
        self.store.release(self.run_id, keep=() if is_over else self._servers_at_work())

    def _record(self, started: e.RunStarted, owner: Owner) -> RunRecord:
        servers = [] if started.simulated else self._servers_to_do()
        lease_s = self.plan.watch.job_timeout_s
        once_key = self.options.once_key
        return RunRecord(
            self.run_id, started.campaign, started.plan_hash, started.at, owner, servers, lease_s, once_key
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

    def _servers_to_do(self) -> list[str]:
        """Those of every request that is not over."""
        return self._servers_in(lambda phase: phase < Phase.SETTLED)

    def _servers_at_work(self) -> list[str]:
        """Those that a job of ours may be working on."""
        return self._servers_in(lambda phase: phase in {Phase.SENT, Phase.IN_DOUBT, Phase.OPEN})

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


def _counts(state: Facts) -> dict[str, int]:
    """Servers by outcome, for lists. A server that is not over counts as the report counts it."""
    total = sum(len(group.servers) for group in state.plan.groups)
    counts = {outcome.value: state.counts[letter] for letter, outcome in OUTCOME.items()}
    started = sum(
        len(state.servers_of(request))
        for lane in state.lanes
        for request in (*lane.open, *lane.doubts)
        if state.is_main(request)
    )
    counts[Outcome.UNKNOWN.value] += started
    counts[Outcome.NOT_STARTED.value] += total - sum(counts.values())
    return {"servers": total, **counts}


def _limit(rate: float) -> float | None:
    return None if math.isinf(rate) else rate
