"""One run at work: every lane side by side, until nothing is left to do or the run is asked to stop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from runner.campaign import events as e
from runner.campaign.verdict import Verdict, verdict
from runner.engine.reconciling import Reconciler
from runner.engine.submitting import Submitter
from runner.engine.surveying import Surveyor
from runner.engine.watching import Watcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.engine.lane import LaneContext
    from runner.engine.ports import Clock
    from runner.engine.recorder import Recorder


class RunEngine:
    """Drives the lanes of one run."""

    def __init__(self, recorder: Recorder, lanes: Sequence[LaneContext], clock: Clock) -> None:
        self._recorder = recorder
        self._lanes = lanes
        self._clock = clock
        self._readers: list[asyncio.Task[None]] = []
        self._failure: asyncio.Future[None] | None = None

    async def run(self) -> Verdict:
        """Do all there is to do, record how it ended, and say so. Durable when it returns."""
        async with asyncio.TaskGroup() as tasks:
            failing = tasks.create_task(self._wait_for_failure())
            lanes = [tasks.create_task(self._run_lane(lane)) for lane in self._lanes]
            if lanes:
                await asyncio.wait(lanes)
            failing.cancel()
        ending = verdict(self._recorder.state)
        now = self._clock.now()
        await self._recorder.record(e.RunEnded(now, ending.state, ending.reason, int(ending.exit_code)))
        return ending

    def stop(self, reason: str) -> None:
        """Send nothing new. Requests that are on their way keep their answers; jobs are no longer watched."""
        self._recorder.record(e.StopRequested(self._clock.now(), reason))
        for reader in self._readers:
            reader.cancel()
        for lane in self._lanes:
            lane.submit_news.tell()

    def fail(self, error: Exception) -> None:
        """The journal failed: nothing more may be done, for it could not be remembered. `run` raises the error."""
        if self._failure is not None and not self._failure.done():
            self._failure.set_exception(error)

    async def _wait_for_failure(self) -> None:
        self._failure = asyncio.get_running_loop().create_future()
        await self._failure

    async def _run_lane(self, lane: LaneContext) -> None:
        lane.newly_open.extend(lane.state.open)
        surveyor = Surveyor(lane)
        async with asyncio.TaskGroup() as tasks:
            self._readers.append(tasks.create_task(surveyor.before_sending()))
            self._readers.append(tasks.create_task(Reconciler(lane).run()))
            if lane.run.watched:
                self._readers.append(tasks.create_task(Watcher(lane).run()))
            await Submitter(lane).run()
            # The others may be waiting for a request that will now never come.
            lane.doubt_news.tell()
            lane.watch_news.tell()
        if lane.run.watched and lane.run.stop_reason is None:
            async with asyncio.TaskGroup() as tasks:
                self._readers.append(tasks.create_task(surveyor.before_the_end()))
