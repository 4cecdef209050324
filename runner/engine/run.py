"""One run at work: every lane side by side, until nothing is left to do or the run is asked to stop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from runner.engine.clock import LONGEST_SLEEP_S
from runner.engine.gatekeeper import Gatekeeper
from runner.engine.operator import Operator
from runner.engine.reconciler import Reconciler
from runner.engine.submitter import Submitter
from runner.engine.surveyor import Surveyor
from runner.engine.watcher import Watcher
from runner.run import events as e
from runner.run.gate import Patience
from runner.run.intake import is_past_deadline
from runner.run.sight import Sight
from runner.run.standing import Standing, standing
from runner.run.verdict import Verdict, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.engine.lane import LaneContext
    from runner.engine.ports import Checker, Clock, CommandSource
    from runner.engine.recorder import Recorder
    from runner.run.live import LiveRun


class Deadline(NamedTuple):
    """When intake ends: epoch seconds by the wall clock, and in words as the person gave it."""

    at: float
    text: str


class RunContext(NamedTuple):
    """What a run may need beside its lanes. Without a `post` nobody can ask anything of it."""

    deadline: Deadline | None = None
    patience: Patience = Patience()
    checker: Checker | None = None
    post: CommandSource | None = None


class RunEngine:
    """Drives the lanes of one run."""

    def __init__(
        self,
        recorder: Recorder,
        lanes: Sequence[LaneContext],
        clock: Clock,
        context: RunContext = RunContext(),  # noqa: B008  it cannot be changed
    ) -> None:
        self._recorder = recorder
        self._lanes = lanes
        self._clock = clock
        self._surroundings = context
        self._deadline = context.deadline
        for lane in lanes:
            lane.is_too_late = self._is_too_late
        self._operators = list(self._make_operators())
        self._gates: list[asyncio.Task[None]] = []
        self._failure: asyncio.Future[None] | None = None
        self._failed: Exception | None = None

    @property
    def live(self) -> LiveRun:
        """What is true of the run, and what is ready to be done."""
        return self._recorder.live

    async def run(self) -> Verdict:
        """Do all there is to do, record how it ended, and say so. Durable when it returns."""
        async with asyncio.TaskGroup() as tasks:
            # The deadline comes before the lanes: one that is over already must end intake before anything is sent.
            beside = [tasks.create_task(task) for task in (self._wait_for_failure(), self._keep_deadline())]
            beside += [tasks.create_task(operator.run()) for operator in self._operators]
            at_work = [tasks.create_task(self._run_lane(lane)) for lane in self._lanes]
            self._gates = [tasks.create_task(keeper.run()) for keeper in self._gatekeepers()]
            at_work += self._gates
            if at_work:
                await asyncio.wait(at_work)
            for task in beside:
                task.cancel()
        ending = verdict(self._recorder.state)
        now = self._clock.now()
        await self._recorder.record(e.RunEnded(now, ending.state, ending.reason, int(ending.exit_code)))
        return ending

    def look(self) -> Standing:
        """How the run stands now, with what this process sees of its lanes."""
        sight = Sight(
            self.live.dispatcher,
            self._clock.wall(),
            tuple(lane.sight() for lane in self._lanes),
            is_blocked=not self._recorder.may_intend,
        )
        return standing(self._recorder.state, self._clock.now(), sight)

    def stop(self, reason: str) -> None:
        """Send nothing new. Requests that are on their way keep their answers; jobs are no longer watched."""
        self._recorder.record(e.StopRequested(self._clock.now(), reason))
        for gate in self._gates:
            gate.cancel()  # a check may take long
        for lane in self._lanes:
            lane.leave([*lane.searches, *lane.watches])

    def end_intake(self, reason: str) -> None:
        """Send nothing new; follow what is on its way, in doubt or at work to its end. The first reason stays."""
        state = self._recorder.state
        if state.intake_ended is not None or state.stop_reason is not None:
            return
        self._recorder.record(e.IntakeEnded(self._clock.now(), reason))
        self._tell_lanes()

    def _tell_lanes(self) -> None:
        for lane in self._lanes:
            lane.tell_all()

    def _gatekeepers(self) -> Iterator[Gatekeeper]:
        """One for a run with a rollout, none for another."""
        checker = self._surroundings.checker
        if self._recorder.state.rollout is not None and checker is not None:
            patience = self._surroundings.patience
            yield Gatekeeper(self._recorder, self._clock, checker, patience, self._tell_lanes)

    def _make_operators(self) -> Iterator[Operator]:
        if self._surroundings.post is not None:
            yield Operator(self._recorder, self._clock, self._surroundings.post, self._command_applied)

    def _command_applied(self) -> None:
        """A command may have changed the pace, too, which is not the state's."""
        for lane in self._lanes:
            lane.creates.set_rate(self._recorder.state.rate)
        self._tell_lanes()

    def fail(self, error: Exception) -> None:
        """The journal failed: nothing more may be done, for it could not be remembered. `run` raises the error."""
        self._failed = self._failed or error
        if self._failure is not None and not self._failure.done():
            self._failure.set_exception(self._failed)

    async def _wait_for_failure(self) -> None:
        if self._failed is not None:  # between its start and here
            raise self._failed
        self._failure = asyncio.get_running_loop().create_future()
        await self._failure

    async def _keep_deadline(self) -> None:
        if self._deadline is None:
            return
        while (left_s := self._deadline.at - self._clock.wall()) > 0:
            await self._clock.sleep(min(left_s, LONGEST_SLEEP_S))
        self._is_too_late()

    def _is_too_late(self) -> bool:
        """Whether a deadline is over, by the clocks as they are now; the run's own then ends intake at once."""
        if self._deadline is not None and self._deadline.at <= self._clock.wall():
            self.end_intake(f"deadline {self._deadline.text} reached")
            return True
        return is_past_deadline(self._recorder.state, self._clock.now(), self._clock.wall())

    async def _run_lane(self, lane: LaneContext) -> None:
        async with asyncio.TaskGroup() as beside:
            telling = beside.create_task(lane.failing.run())
            await self._work_off(lane)
            telling.cancel()

    async def _work_off(self, lane: LaneContext) -> None:
        lane.newly_open.extend(lane.state.open)
        surveyor = Surveyor(lane)
        async with asyncio.TaskGroup() as tasks:
            lane.searches.append(tasks.create_task(self._survey(surveyor)))
            lane.searches.append(tasks.create_task(Reconciler(lane).run()))
            if lane.run.watched:
                lane.watches.append(tasks.create_task(Watcher(lane).run()))
            await Submitter(lane).run()
            # The others may be waiting for a request that will now never come.
            lane.tell_all()
        if lane.run.watched and lane.run.stop_reason is None:
            async with asyncio.TaskGroup() as tasks:
                lane.searches.append(tasks.create_task(surveyor.before_the_end()))

    async def _survey(self, surveyor: Surveyor) -> None:
        """Commands may wait for it, and are to be carried out before anyone acts on what it found."""
        await surveyor.before_sending()
        for operator in self._operators:
            operator.look()
