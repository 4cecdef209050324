"""A disk that takes its time: what it has not written when the process dies is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from runner.journal.memory import MemoryJournal
from runner.run.events import Event


class Disk:
    """A journal whose commits take `commit_s`; `written` is told of the events that have become durable."""

    def __init__(self, journal: MemoryJournal, commit_s: float, written: Callable[[Sequence[Event]], None]) -> None:
        self._journal = journal
        self._commit_s = commit_s
        self._written = written
        self._queue: list[Event] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._commit: asyncio.TimerHandle | None = None

    def append(self, events: Sequence[Event]) -> Awaitable[None]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._queue += events
        self._waiting.append(done)
        if not self._commit_s:
            self._write()
        elif self._commit is None:
            self._commit = loop.call_later(self._commit_s, self._write)
        return done

    def die(self) -> None:
        """The process is gone, and with it what was not written yet."""
        if self._commit is not None:
            self._commit.cancel()

    def _write(self) -> None:
        self._commit = None
        queue, self._queue = self._queue, []
        waiting, self._waiting = self._waiting, []
        self._journal.append(queue)
        assert self._journal.failure is None
        self._written(queue)
        for done in waiting:
            if not done.done():
                done.set_result(None)
