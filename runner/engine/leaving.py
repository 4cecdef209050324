"""The last look before a create leaves, and breaking off those that have not left when nothing may any more.

Before the first byte there may be a login, which may last; nothing is lost if it is broken off then. What has left is waited
for.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runner.engine.ports import Departure
    from runner.rules.answers import Answer


class NotLeft:
    """The tasks of creates of which nothing is on its way. Once they are broken off, so is each that comes back."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._broken_off: set[asyncio.Task[Any]] = set()
        self._all = False

    def add(self, task: asyncio.Task[Any]) -> None:
        """Nothing is on its way, or not any more."""
        if self._all:
            self._break_off(task)
        else:
            self._tasks.add(task)

    def discard(self, task: asyncio.Task[Any]) -> None:
        """It leaves now, or is over."""
        self._tasks.discard(task)

    def break_off(self) -> None:
        """Nothing may leave any more."""
        self._all = True
        while self._tasks:
            self._break_off(self._tasks.pop())

    def was_broken_off(self, task: asyncio.Task[Any]) -> bool:
        """Whether that alone is why the task was cancelled just now."""
        return task in self._broken_off and task.uncancel() == 0

    def _break_off(self, task: asyncio.Task[Any]) -> None:
        self._broken_off.add(task)
        task.cancel()


class LastLook:
    """The departure of one create, as `departure` has it, and whether it is on its way."""

    __slots__ = ("_departure", "_not_left", "_task")

    def __init__(self, not_left: NotLeft, departure: Departure) -> None:
        self._not_left = not_left
        self._departure = departure
        self._task: asyncio.Task[Any] | None = None

    async def leave(self) -> bool:
        """See `Departure`."""
        may_leave = await self._departure.leave()
        if may_leave and self._task is not None:
            self._not_left.discard(self._task)
        return may_leave

    def refused(self) -> None:
        """See `Departure`."""
        self._departure.refused()
        if self._task is not None:
            self._not_left.add(self._task)

    async def answer(self, create: Callable[[LastLook], Awaitable[Answer | None]]) -> Answer | None:
        """What came of the create; None: it did not leave."""
        self._task = asyncio.current_task()
        if self._task is None:
            return None
        self._not_left.add(self._task)
        try:
            return await create(self)
        except asyncio.CancelledError:
            if not self._not_left.was_broken_off(self._task):
                raise
            return None
        finally:
            self._not_left.discard(self._task)
