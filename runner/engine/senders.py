"""The tasks that send what is in line: as many at once as a limit allows, which may change while they are at work."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


class Senders(Generic[T]):
    """Each sends one after the other, and goes when nothing is left, or when they are too many.

    A task for each would cost a tenth of a create. `limit` is asked for anew each time, and is 1 at least.
    """

    def __init__(self, send: Callable[[T], Awaitable[None]], limit: Callable[[], int]) -> None:
        self._send = send
        self._limit = limit
        self._line: deque[T] = deque()
        self._at_work = 0

    @property
    def are_all_busy(self) -> bool:
        """Whether something that is put in line now has to wait for its sender."""
        return len(self._line) + self._at_work >= self._limit()

    def put(self, thing: T, tasks: asyncio.TaskGroup) -> None:
        """Put something in line; one of the `tasks` sends it."""
        self._line.append(thing)
        if self._at_work < self._limit():
            self._at_work += 1
            tasks.create_task(self._work_off(self._line.popleft()))

    async def _work_off(self, thing: T) -> None:
        try:
            await self._send(thing)
            while self._line and self._at_work <= self._limit():
                await self._send(self._line.popleft())
        finally:
            self._at_work -= 1
