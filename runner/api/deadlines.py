"""One timer for many exchanges that may all take equally long: a timer for each would cost a twentieth of a create."""

from __future__ import annotations

import asyncio
from typing import Any

_Task = asyncio.Task[Any]


class Deadlines:
    """Ends what takes longer than so many `seconds`. Each task has one exchange at a time, and tells of it itself.

    What begins first ends first, so only the oldest needs to be looked at.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: dict[_Task, float] = {}
        self._over: dict[_Task, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, task: _Task) -> None:
        """An exchange of this task begins: it is cancelled if that does not `end` in time."""
        loop = task.get_loop()
        until = self._until[task] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(until, self._end_the_late)

    def end(self, task: _Task) -> None:
        """It is over."""
        self._until.pop(task, None)

    def was_late(self, task: _Task) -> bool:
        """Whether that alone is why the task was cancelled just now; it is not any more then."""
        before = self._over.pop(task, None)
        return before is not None and task.uncancel() <= before

    def _end_the_late(self) -> None:
        self._timer = None
        while self._until:
            task, until = next(iter(self._until.items()))
            loop = task.get_loop()
            if until > loop.time():
                self._timer = loop.call_at(until, self._end_the_late)
                return
            del self._until[task]
            self._over[task] = task.cancelling()
            task.cancel()
