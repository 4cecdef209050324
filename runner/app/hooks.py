"""Tells others of a run beside it, as its jobspec's `on_event` says: a run never waits for them, and never ends by them."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from runner.report.signals import moment_of, signal_of
from runner.run import events as e

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from runner.engine.ports import Clock
    from runner.model import JsonMapping
    from runner.plan.hooks import PlannedHook
    from runner.run.facts import Facts

# More than wait at once: a run that nobody can be told of does not fill the memory. The oldest is given up for the newest.
MOST_WAITING = 50
# How long an end waits for what is still to be told.
FAREWELL_S = 5.0
_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
# A sender that does not keep its own time is not waited for longer than this beyond it.
_SENDERS_OWN_S = 15.0


class Sender(Protocol):
    """Tells one hook, once."""

    async def send(self, hook: PlannedHook, signal: JsonMapping) -> str | None:
        """Why it did not arrive, without a secret; None: it did."""
        ...


@dataclass(slots=True)
class _Line:
    """What waits to be told to one hook: in order, and whatever becomes of the others."""

    index: int
    hook: PlannedHook
    waiting: deque[JsonMapping] = field(default_factory=deque)
    at_work: JsonMapping | None = None
    task: asyncio.Task[None] | None = None
    trouble: str = ""


class Hooks:
    """The hooks of a run. `notice` is told, once for each, that one cannot be told; `lost` is all that was not told.

    `observe` is called in the event loop of the run, by its recorder. Nothing here raises.
    """

    def __init__(
        self, hooks: Sequence[PlannedHook], sender: Sender, clock: Clock, notice: Callable[[str], None]
    ) -> None:
        self._sender = sender
        self._clock = clock
        self._notice = notice
        self._lines = [_Line(index, hook) for index, hook in enumerate(hooks)]
        self._waiting: asyncio.Task[None] | None = None
        self.lost: list[e.SignalLost] = []

    def observe(self, event: e.Event, facts: Facts, run_id: str) -> None:
        """An event became true: those are told who asked for it."""
        moment = moment_of(event)
        lines = [line for line in self._lines if moment in line.hook.on] if moment else ()
        if not lines:
            return
        try:
            signal = signal_of(event, facts, run_id)
        except Exception as error:  # noqa: BLE001  a mistake in what is told is none of the run
            self._notice(f"nobody is told of {moment}: {type(error).__name__}")
            return
        for line in lines:
            self._put(line, signal)

    async def farewell(self) -> None:
        """Wait a little for what is still to be told, unless somebody does not want to wait. Nothing is told after that."""
        tasks = self._tasks()
        if tasks:
            self._waiting = waiting = asyncio.create_task(_over(tasks))
            with suppress(asyncio.CancelledError):
                await waiting
        if (task := asyncio.current_task()) is not None and task.cancelling():
            task.uncancel()  # a second Ctrl-C: the run is over, and its report is still to be written
        await self.close()
        for line in self._lines:
            for signal in filter(None, (line.at_work, *line.waiting)):
                self._lose(line, signal, line.trouble or "there was no time for it before the end")

    def stop(self, reason: str) -> None:
        """Wait no longer."""
        del reason
        if self._waiting is not None:
            self._waiting.cancel()

    async def close(self) -> None:
        """Tell nobody any more. A program that is at work is ended."""
        tasks = self._tasks()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [line.task for line in self._lines if line.task is not None and not line.task.done()]

    def _put(self, line: _Line, signal: JsonMapping) -> None:
        if len(line.waiting) == MOST_WAITING:
            self._lose(line, line.waiting.popleft(), "too many waited to be told")
        line.waiting.append(signal)
        if line.task is None or line.task.done():
            line.task = asyncio.create_task(self._work_off(line))

    async def _work_off(self, line: _Line) -> None:
        while line.waiting:
            signal = line.at_work = line.waiting.popleft()
            if not await self._told(line, signal):
                self._lose(line, signal, line.trouble)
            line.at_work, line.trouble = None, ""

    async def _told(self, line: _Line, signal: JsonMapping) -> bool:
        """Whether it arrived, in one of the hook's attempts."""
        pause_s = _PAUSE_S
        for attempt in range(line.hook.attempts):
            if attempt:
                await self._clock.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            trouble = await self._sent(line.hook, signal)
            if trouble is None:
                return True
            line.trouble = trouble
        return False

    async def _sent(self, hook: PlannedHook, signal: JsonMapping) -> str | None:
        try:
            async with asyncio.timeout(hook.timeout_s + _SENDERS_OWN_S):
                return await self._sender.send(hook, signal)
        except TimeoutError:
            return f"not over within {hook.timeout_s:g} s"
        except Exception as error:  # noqa: BLE001  whatever it is; its own words may have a secret in them
            return f"it failed with {type(error).__name__}"

    def _lose(self, line: _Line, signal: JsonMapping, reason: str) -> None:
        if all(lost.hook != line.index for lost in self.lost):
            self._notice(f"on_event[{line.index}] could not be told of {signal['event']}: {reason}")
        self.lost.append(e.SignalLost(self._clock.now(), line.index, str(signal["event"]), reason))


async def _over(tasks: Collection[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks, timeout=FAREWELL_S)
