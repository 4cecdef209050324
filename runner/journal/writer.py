"""The writer thread of a journal: takes all that was appended meanwhile and commits it as one group.

One statement in autocommit mode is one commit and one hand-over of the interpreter lock; waking the event loop once for
a whole group is another. So an append costs the loop next to nothing, and 64 requests in flight share each fsync. A
commit costs about as much CPU as two requests, so a busy journal makes one every few milliseconds and no more; an idle
one commits at once.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from runner.errors import RunnerError, StateFolderError
from runner.journal.chain import next_hash
from runner.journal.codec import encode_batch
from runner.journal.queries import queries
from runner.journal.store import HEARTBEAT_S, OwnershipLost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import apsw

    from runner.run.events import Event


_COMMIT_EVERY_S = 0.005


class LastEntry(NamedTuple):
    """The end of a journal: the number of its last entry, 0 before the first, and the hash to go on from."""

    seq: int
    hash: str


class JournalWriter:
    """The journal of one run that this process owns, in SQLite. Made and used inside one event loop."""

    def __init__(
        self, connect: Callable[[], apsw.Connection], run_id: str, token: str, last: LastEntry, now: Callable[[], float]
    ) -> None:
        self._run_id = run_id
        self._token = token
        self._last = last
        self._append = queries()["append"]
        self._now = now
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._events: list[Event] = []
        self._group = self._new_group()
        self._closing = threading.Event()
        self._committed_at = -math.inf
        self._failure: RunnerError | None = None
        self._callback: Callable[[RunnerError], None] | None = None
        self._thread = threading.Thread(target=self._write, args=(connect,), name="journal", daemon=True)
        self._thread.start()

    @property
    def failure(self) -> RunnerError | None:
        """What ended the journal, or None while it works."""
        return self._failure

    def on_failure(self, callback: Callable[[RunnerError], None]) -> None:
        """Have `callback` called once, in the event loop, when the journal fails."""
        self._callback = callback

    def append(self, events: Sequence[Event]) -> Awaitable[None]:
        """Put events at the end; the awaitable is done when they are durable."""
        with self._lock:
            if self._failure is None:
                idle = not self._events
                self._events.extend(events)
                if idle:
                    self._work.notify()
            return self._group

    def close(self) -> None:
        """Write what is queued and give up ownership."""
        self._closing.set()
        with self._lock:
            self._work.notify()
        self._thread.join()

    def _new_group(self) -> _Group:
        group = _Group(loop=self._loop)
        group.add_done_callback(_retrieved)
        return group

    def _write(self, connect: Callable[[], apsw.Connection]) -> None:
        """The thread: commit groups until closed or failed."""
        try:
            db = connect()
            try:
                while self._write_group(db):
                    pass
                db.execute(queries()["release_run"], {"id": self._run_id, "token": self._token, "now": self._now()})
            finally:
                db.close()
        except RunnerError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001  whatever ends the thread, nobody may wait for it any longer
            self._fail(_translated(error))

    def _write_group(self, db: apsw.Connection) -> bool:
        with self._lock:
            if not self._events and not self._closing.is_set():
                self._work.wait(HEARTBEAT_S)
        self._closing.wait(self._committed_at + _COMMIT_EVERY_S - time.monotonic())
        with self._lock:
            events, self._events = self._events, []
            group = self._group
            if events:
                self._group = self._new_group()
        if not events:
            db.execute(queries()["heartbeat"], {"id": self._run_id, "token": self._token, "now": self._now()})
            return not self._closing.is_set()
        try:
            self._commit(db, events)
        except BaseException as error:
            # Those who wait for this group hear of it here; `_fail` tells those of the next.
            self._settle(group, error if isinstance(error, RunnerError) else _translated(error))
            raise
        self._settle(group, None)
        return True

    def _commit(self, db: apsw.Connection, events: Sequence[Event]) -> None:
        self._committed_at = time.monotonic()
        before = db.total_changes()
        seq, batch = self._last.seq + 1, encode_batch(events)
        last = LastEntry(seq, next_hash(self._last.hash, seq, *batch))
        values = {"id": self._run_id, "token": self._token, "seq": seq, "hash": last.hash}
        db.execute(self._append, {**values, "events": batch.events.decode(), "details": batch.details.decode()})
        if db.total_changes() == before:
            raise OwnershipLost(self._run_id)
        self._last = last

    def _settle(self, group: _Group, error: RunnerError | None) -> None:
        self._loop.call_soon_threadsafe(_finish, group, error)

    def _fail(self, error: RunnerError) -> None:
        with self._lock:
            self._failure = error
            group = self._group
        if self._loop.is_closed():
            return
        self._settle(group, error)
        if self._callback is not None:
            self._loop.call_soon_threadsafe(self._callback, error)


class _Group(asyncio.Future[None]):
    """Done when a group is committed. A task that is cancelled while it waits must not cancel what others wait for."""

    def cancel(self, msg: object = None) -> bool:
        """Not before the commit is over."""
        del msg
        return False


def _finish(group: _Group, error: RunnerError | None) -> None:
    if group.done():
        return
    if error is None:
        group.set_result(None)
    else:
        group.set_exception(error)


def _retrieved(group: _Group) -> None:
    """Mark a failure as seen: an append need not be awaited."""
    if not group.cancelled():
        group.exception()


def _translated(error: BaseException) -> RunnerError:
    text = str(error)
    reason = "the disk is full" if "full" in text.lower() else text
    return StateFolderError(f"the journal cannot be written: {reason}", hint="make room, then `runner resume`")
