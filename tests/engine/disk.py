"""The state store as one process has it: a disk that takes its time. What it has not written when that dies is lost."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from runner.errors import RunnerError
from runner.journal.memory import MemoryStore
from runner.journal.memory_journal import MemoryJournal
from runner.journal.owner import Owner
from runner.run.events import Event


class Crash(BaseException):
    """The process died here."""


class Disk:
    """A journal whose commits take `commit_s`.

    `appended` is told of each event that is on its way, before it is, and `written` of those that have become durable.
    """

    def __init__(
        self,
        journal: MemoryJournal,
        commit_s: float,
        appended: Callable[[Event], None],
        written: Callable[[Sequence[Event]], None],
    ) -> None:
        self._journal = journal
        self._commit_s = commit_s
        self._appended = appended
        self._written = written
        self._queue: list[Event] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._commit: asyncio.TimerHandle | None = None
        self._unsettled: deque[_Commit] = deque()
        self._dead = False

    @property
    def failure(self) -> RunnerError | None:
        return self._journal.failure

    @property
    def is_owned(self) -> bool:
        return self._journal.is_owned

    @property
    def is_blocked(self) -> bool:
        return self._journal.is_blocked

    def on_blocked(self, callback: Callable[[bool], None]) -> None:
        self._journal.on_blocked(callback)

    def on_failure(self, callback: Callable[[RunnerError], None]) -> None:
        self._journal.on_failure(callback)

    def append(self, events: Sequence[Event]) -> Awaitable[None]:
        for event in events:
            self._appended(event)
        if self._dead:
            raise Crash
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._queue += events
        self._waiting.append(done)
        if not self._commit_s:
            self._write()
        elif self._commit is None:
            self._commit = loop.call_later(self._commit_s, self._write)
        return done

    def close(self) -> None:
        if self._dead:
            return
        if self._commit is not None:
            self._commit.cancel()
            self._write()
        self._journal.close()

    def die(self) -> None:
        """The process is gone, and with it what was not written yet."""
        self._settle()
        self._dead = True
        self._journal.die()
        if self._commit is not None:
            self._commit.cancel()

    def _write(self) -> None:
        self._commit = None
        queue, self._queue = self._queue, []
        waiting, self._waiting = self._waiting, []
        written = asyncio.ensure_future(self._journal.append(queue))
        self._unsettled.append(_Commit(queue, waiting, written))
        self._settle()
        if self._unsettled:
            written.add_done_callback(self._settle)

    def _settle(self, _: object = None) -> None:
        """Tell of what is durable, or never will be, in its order."""
        while self._unsettled and self._unsettled[0].written.done():
            events, waiting, written = self._unsettled.popleft()
            error = written.exception()
            if error is None:
                self._written(events)
            for done in waiting:
                if done.done():
                    continue
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(error)
                    done.exception()


class _Commit(NamedTuple):
    events: Sequence[Event]
    waiting: Sequence[asyncio.Future[None]]
    written: asyncio.Future[None]


class ProcessStore:
    """A `RunStore` in the hands of one process: once that is dead, nothing it does counts any more."""

    def __init__(self, store: MemoryStore, opened: Callable[[MemoryJournal], Disk]) -> None:
        self._store = store
        self._opened = opened
        self._disk: Disk | None = None
        self._dead = False

    def open_run(self, run_id: str, owner: Owner) -> Disk:
        self._disk = self._opened(self._store.open_run(run_id, owner))
        return self._disk

    @property
    def owns(self) -> bool:
        """Whether nobody else can have the run that it has open."""
        return self._disk is not None and not self._dead and self._disk.is_owned

    def die(self) -> None:
        """The process is gone."""
        self._dead = True
        if self._disk is not None:
            self._disk.die()

    @property
    def credentials(self) -> ProcessStore:
        return self

    @property
    def salt(self) -> bytes:
        return self._store.credentials.salt

    def change(self, credential: str, change: Callable[[str | None], str | None]) -> bool:
        """What a process that is dead would note is not noted."""
        if self._dead:
            raise Crash
        return self._store.credentials.change(credential, change)

    def __getattr__(self, name: str) -> Any:
        if self._dead:
            raise Crash
        return getattr(self._store, name)
