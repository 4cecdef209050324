"""One process's work on one run: it holds the run's servers, drives the engine to the end, and writes the report."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from runner import __version__
from runner.app.bodies import BodyMaker
from runner.app.display import Display
from runner.app.history import stored_run
from runner.app.holding import left_to_family, let_go, let_go_patiently, open_journal
from runner.app.hooks import Hooks
from runner.app.host import share_of
from runner.app.limits import LaneLimits
from runner.app.posted import StoredCommands
from runner.app.process import first_error
from runner.app.remembering import credentials_of, memory_of
from runner.app.reporting import trouble_with, write_report
from runner.engine.lane import LaneContext
from runner.engine.recorder import Recorder
from runner.engine.run import RunContext, RunEngine
from runner.errors import RunnerError, RunStopped
from runner.journal.store import OwnershipLost, StateFolderBusy
from runner.model import RunState
from runner.plan.keys import run_token
from runner.run import events as e

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.app.host import ConnectionShare, Host, Interrupts, Redact
    from runner.app.reporting import WrittenReport
    from runner.app.running import RunOptions
    from runner.engine.clock import RunClock
    from runner.engine.ports import JobService
    from runner.engine.refusals import CredentialMemory
    from runner.errors import ExitCode
    from runner.journal.store import OwnedJournal, RunStore
    from runner.plan.plan import Plan
    from runner.run.facts import Facts
    from runner.run.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Work:
    """What a process is to do: a run that begins, or one that goes on from `state`, whose `journal` is this process's."""

    run_id: str
    plan: Plan
    state: Facts
    clock: RunClock
    journal: OwnedJournal | None

    @property
    def is_new(self) -> bool:
        """Whether the run begins."""
        return self.journal is None


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended, for the person who started it: a `summary` in a few lines, and one line that comes last."""

    run_id: str
    verdict: Verdict
    resumable: bool
    summary: str
    last_line: str
    report: WrittenReport

    @property
    def exit_code(self) -> ExitCode:
        """What the command ends with."""
        return self.verdict.exit_code


async def carry_out(host: Host, store: RunStore, work: Work, options: RunOptions) -> RunResult:
    """Do all there is to do of a run, and write its report.

    Raises:
        RunStopped: it was ended at once.
        RunnerError: it cannot begin, or what it does cannot be remembered any more.
    """
    with host.interrupts() as interrupts:
        try:
            verdict = await _Run(host, store, work, options).to_its_end(interrupts)
        except BaseExceptionGroup as group:
            raise first_error(group) from group
        except asyncio.CancelledError:
            raise _ended_at_once(work) from None
        return _concluded(host, store, work, options, verdict)


def _ended_at_once(work: Work) -> RunStopped:
    if work.state.started_at is None:
        return RunStopped("ended before anything was sent")
    return RunStopped(
        "ended at once; requests on their way are in doubt until they are looked up",
        hint=f"go on with: runner resume {work.run_id}",
    )


def _concluded(host: Host, store: RunStore, work: Work, options: RunOptions, verdict: Verdict) -> RunResult:
    stored = stored_run(store, work.run_id, options.state_dir, work.plan)
    report = write_report(host.files, stored, options.report.streams)
    resumable = not verdict.state.is_over and options.behaviour is None
    return RunResult(work.run_id, verdict, resumable, stored.summary(), stored.last_line(), report)


def _tell_what_was_refused(memory: CredentialMemory) -> None:
    with suppress(RunnerError):  # how the run ended is what is to be told
        memory.flush()


@dataclass(frozen=True, slots=True)
class _Run:
    host: Host
    store: RunStore
    work: Work
    options: RunOptions

    @property
    def _share(self) -> ConnectionShare:
        simulated = self.options.behaviour is not None
        return share_of(self.host.descriptors, len(self.work.plan.lanes), simulated=simulated)

    async def to_its_end(self, interrupts: Interrupts) -> Verdict:
        work = self.work
        memory = self._memory()
        async with AsyncExitStack() as stack:
            stack.callback(_tell_what_was_refused, memory)
            if work.journal is not None:
                stack.callback(work.journal.close)
                self._look_at_report_place()
            bodies = BodyMaker(work.plan, work.run_id, work.state, self.host.environ)
            services = await self.host.open_services(
                stack,
                work.plan,
                bodies.redact,
                behaviour=self.options.behaviour,
                ca_bundle=self.options.ca_bundle,
                most_reads=self._share.reads,
                notice=self._notice,
                memory=memory,
            )
            journal = await open_journal(self.host, self.store, work, self.options)
            stack.callback(journal.close)
            limits = LaneLimits(self.host, self.store, work, simulated=self.options.behaviour is not None)
            hooks = self._open_hooks(stack, bodies.redact)
            try:
                verdict = await self._drive(services, memory, bodies, journal, interrupts, limits, hooks)
            except BaseException as error:
                self._let_go_at_once(journal)
                await self._tell_of_failure(hooks, error, bodies.redact)
                raise
            limits.keep()
            if journal.failure is None:
                await let_go_patiently(self.host, self.store, work)
            interrupts.stop_first(hooks)
            await self._part(hooks, journal)
            return verdict

    def _let_go_at_once(self, journal: OwnedJournal) -> None:
        if journal.failure is None and not journal.is_blocked:
            with suppress(StateFolderBusy, OwnershipLost):  # what ended the run is what is to be told
                let_go(self.store, self.work)

    def _open_hooks(self, stack: AsyncExitStack, redact: Redact) -> Hooks:
        sender = self.host.open_sender(redact, self.options.ca_bundle)
        hooks = Hooks(self.work.plan.hooks, sender, self.work.clock, self._notice)
        stack.push_async_callback(hooks.close)
        return hooks

    async def _part(self, hooks: Hooks, journal: OwnedJournal) -> None:
        """Tell the last, and put on record what could not be told. The end stays the end, whenever this process dies."""
        await hooks.farewell()
        ending = self.work.state.ending
        if hooks.lost and ending is not None and journal.failure is None:
            again = e.RunEnded(ending.at, ending.state, ending.reason, ending.exit_code)
            with suppress(RunnerError):  # the run is over, and its log has it
                await journal.append([*hooks.lost, again])
                await let_go_patiently(self.host, self.store, self.work)  # the append wiped the note of its end

    async def _tell_of_failure(self, hooks: Hooks, error: BaseException, redact: Redact) -> None:
        """Tell that the run ended by an error; not if a person ended it at once, or it had not begun."""
        first = first_error(error) if isinstance(error, BaseExceptionGroup) else error
        if isinstance(first, RunnerError) and self.work.state.started_at is not None:
            ending = e.RunEnded(self.work.clock.now(), RunState.INTERRUPTED, redact(str(first)), int(first.exit_code))
            hooks.observe(ending, self.work.state, self.work.run_id)
            await hooks.farewell()

    def _look_at_report_place(self) -> None:
        """What is said of the place of a run that goes on. Nobody named it today, so it is no reason not to go on."""
        trouble = trouble_with(self.host.files, self.store.run(self.work.run_id))
        if trouble and not self.options.report.kept:
            self._notice(trouble)

    def _notice(self, text: str) -> None:
        with suppress(Exception):  # a display that fails does so again when the run begins, and ends then
            self.options.progress.notice(text)

    def _memory(self) -> CredentialMemory:
        return memory_of(
            self.store,
            self.work.run_id,
            self.host.clock.wall,
            timeout_s=self.work.plan.submit.timeout_s,
            simulated=self.options.behaviour is not None,
            insists=self.options.try_credential,
        )

    async def _drive(
        self,
        services: Sequence[JobService],
        memory: CredentialMemory,
        bodies: BodyMaker,
        journal: OwnedJournal,
        interrupts: Interrupts,
        limits: LaneLimits,
        hooks: Hooks,
    ) -> Verdict:
        work, host, options = self.work, self.host, self.options

        def observe(event: e.Event) -> None:
            display.observe(event)
            hooks.observe(event, work.state, work.run_id)

        display = Display(options.progress, lambda reason: self._display_lost(recorder, bodies.redact(reason)))
        recorder = Recorder(work.state, journal, observe if work.plan.hooks else display.observe)
        lanes = self._lanes(services, memory, recorder, bodies, limits)
        around = RunContext(
            options.deadline,
            options.patience,
            host.open_checker(bodies.redact, options.ca_bundle),
            StoredCommands(self.store, work.run_id),
        )
        engine = RunEngine(recorder, lanes, work.clock, around)
        journal.on_failure(engine.fail)
        journal.on_blocked(partial(_say_blocked, display))
        interrupts.stop_first(engine)
        display.begin(work.run_id, work.state, engine.look)
        async with display.shown(work.state):
            # Only now, so that whoever sees the run has begun can already stop it.
            for event in self._opening():
                await recorder.record(event)
            return await engine.run()

    def _display_lost(self, recorder: Recorder, reason: str) -> None:
        if self.work.state.ended is None:
            recorder.record(e.DisplayLost(self.work.clock.now(), reason))

    def _opening(self) -> Iterator[e.Event]:
        """Both where the process before died before the first was on disk: it may have sent something all the same."""
        work, (now, boot, uptime_s) = self.work, self.work.clock.reading()
        if work.state.started_at is None:
            simulated, watched, plan = self.options.behaviour is not None, self.options.watch, work.plan
            yield e.RunStarted(
                now, plan.campaign, plan.plan_hash, __version__, simulated, watched, boot=boot, uptime_s=uptime_s
            )
        if not work.is_new:
            yield e.RunResumed(now, __version__, boot, uptime_s)
        yield from left_to_family(self.store, work)

    def _lanes(
        self,
        services: Sequence[JobService],
        memory: CredentialMemory,
        recorder: Recorder,
        bodies: BodyMaker,
        limits: LaneLimits,
    ) -> list[LaneContext]:
        work, clock = self.work, self.work.clock
        credentials = credentials_of(services, memory, clock)
        return [
            LaneContext(
                index=index,
                service=service,
                recorder=recorder,
                clock=clock,
                creates=limits.creates(index),
                reads=limits.reads(index),
                credential=credentials[index],
                body_of=bodies.body_of,
                job_name_of=bodies.job_name_of,
                run_token=run_token(work.run_id),
                jitter=self.host.chance.random,
                most_sends=self._share.creates,
                most_reads=self._share.reads,
            )
            for index, service in enumerate(services)
        ]


def _say_blocked(display: Display, blocked: bool) -> None:  # noqa: FBT001  what the journal says
    what = "is locked by another process: nothing new is sent until it is free" if blocked else "is free again"
    display.notice(f"the state folder {what}")
