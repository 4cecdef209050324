"""Performs what the gate of a rollout asks for: starts waves, makes checks, holds, aborts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from runner.run import events as e
from runner.run.gate import GateOver, MakeCheck, Patience, Record, Sleep, after_check

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.engine.ports import Checker, Clock
    from runner.engine.recorder import Recorder
    from runner.plan.rollout.model import PlannedCheck

# Time that passes may open a window or end a soak; clocks may be set. So the gate looks up now and then.
_LONGEST_SLEEP_S = 60.0


class Gatekeeper:
    """Decides, for all lanes together, when more servers may be touched. `tell_lanes` has them look again."""

    def __init__(
        self, recorder: Recorder, clock: Clock, checker: Checker, patience: Patience, tell_lanes: Callable[[], None]
    ) -> None:
        self._recorder = recorder
        self._clock = clock
        self._news = recorder.gate_news
        self._checker = checker
        self._patience = patience
        self._tell_lanes = tell_lanes

    async def run(self) -> None:
        """Return when nothing will be decided any more."""
        while True:
            self._news.seen()
            match self._recorder.live.next_step(self._clock.now(), self._patience, self._clock.wall()):
                case Record(event):
                    self._recorder.record(event)
                    self._after(event)
                case MakeCheck(wave, check):
                    await self._make_check(wave, check)
                case Sleep(until):
                    self._tell_lanes()  # what just happened on one lane may have made room on another
                    now = self._clock.now()
                    await self._news.wait(_LONGEST_SLEEP_S if until is None else min(until - now, _LONGEST_SLEEP_S))
                case GateOver():
                    break
        self._tell_lanes()

    async def _make_check(self, wave: int, index: int) -> None:
        state, now = self._recorder.state, self._clock.now
        await self._recorder.record(e.CheckStarted(now(), wave, index))
        if state.rollout is None:
            return
        check = state.rollout.waves[wave].plan.checks[index]
        made = await self._made(check)
        if made is None:
            return
        passed, detail = made
        is_last = passed or state.rollout.waves[wave].attempts >= check.attempts
        checked = e.Checked(now(), wave, index, passed, detail, is_last)
        self._recorder.record(checked)
        self._after(checked)

    async def _made(self, check: PlannedCheck) -> tuple[bool, str] | None:
        """What came of a check; None if the run was ended meanwhile: nobody waits for it then."""
        state = self._recorder.state
        making = asyncio.ensure_future(self._checker.check(check))
        making.add_done_callback(lambda _: self._news.tell())
        try:
            while not making.done() and not state.over:
                self._news.seen()
                await self._news.wait()
            return making.result() if making.done() else None
        finally:
            if making.cancel():
                await asyncio.wait([making])

    def _after(self, event: e.Event) -> None:
        if isinstance(event, e.Checked):
            follows = after_check(self._recorder.state, event)
            if follows is not None:
                self._recorder.record(follows)
        self._tell_lanes()
