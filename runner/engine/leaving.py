"""The last look before a create leaves, and breaking off those that have not left when nothing may any more.

Before the first byte there may be a login, which may last; nothing is lost if it is broken off then. What has left is waited
for.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from runner.rules.answers import Answer


class NotLeft:
    """The tasks of creates of which nothing is on its way. Once they are broken off, so is each that comes back.

    Each method is called by the task that it is about.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._broken_off: set[asyncio.Task[Any]] = set()
        self._all = False

    async def answer(self, create: Awaitable[Answer | None]) -> Answer | None:
        """What comes of a create; None: it did not leave."""
        task = _this_task()
        self._add(task)
        try:
            return await create
        except asyncio.CancelledError:
            if not self._was_broken_off(task):
                raise
            return None
        finally:
            self._tasks.discard(task)

    def leaves(self) -> None:
        """It is on its way from now on."""
        self._tasks.discard(_this_task())

    def comes_back(self) -> None:
        """Nothing is on its way any more."""
        self._add(_this_task())

    def break_off(self) -> None:
        """Nothing may leave any more."""
        self._all = True
        while self._tasks:
            self._break_off(self._tasks.pop())

    def _add(self, task: asyncio.Task[Any]) -> None:
        if self._all:
            self._break_off(task)
        else:
            self._tasks.add(task)

    def _break_off(self, task: asyncio.Task[Any]) -> None:
        self._broken_off.add(task)
        task.cancel()

    def _was_broken_off(self, task: asyncio.Task[Any]) -> bool:
        """Whether that alone is why the task was cancelled just now."""
        if task not in self._broken_off:
            return False
        self._broken_off.discard(task)
        return task.uncancel() == 0


def _this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("creates are made by tasks")
    return task
