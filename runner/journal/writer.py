"""The writer thread of a journal: takes all that was appended meanwhile and commits it as one group.

One statement in autocommit mode is one commit and one hand-over of the interpreter lock; waking the event loop once for
a whole group is another. So an append costs the loop next to nothing, and 64 requests in flight share each fsync. A
commit costs about as much CPU as two requests, so a busy journal makes one every few milliseconds and no more; an idle
one commits at once.

The thread renews the ownership of the run as well, busy or idle. Nobody hears that something is durable while that is due:
a commit may have waited long for another process that held the database, and it is tried until there is none.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import apsw

from runner.errors import RunnerError, StateFolderError
from runner.journal.chain import next_hash
from runner.journal.claims import renewal_columns
from runner.journal.codec import encode_batch
from runner.journal.database import open_again
from runner.journal.ownership import HEARTBEAT_S, LEASE_S
from runner.journal.queries import queries
from runner.journal.store import JournalChanged, OwnershipLost
from runner.journal.tasks import pack
from runner.journal.troubles import BUSY, in_words

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from runner.journal.files import FilePlace
    from runner.journal.owner import Moment
    from runner.run.events import Event

T = TypeVar("T")

_COMMIT_EVERY_S = 0.005
# How long one try for a locked database takes, and the pause before the next, seconds.
_TRY_S = 0.5
_PAUSE_S = 0.05
# A database that is held for less, seconds, is nothing to talk about.
_SAY_AFTER_S = 2.0
# For how long to try once a task that waits is cancelled, or the journal is closed, seconds: the user wants to go.
_CANCEL_S = 1.0
_CLOSING_S = 5.0


class LastEntry(NamedTuple):
    """The end of a journal: the number of its last entry, 0 before the first, and the hash to go on from."""

    seq: int
    hash: str


class OwnershipHeld(NamedTuple):
    """A run that this process has just become the owner of: its token, the end of its journal, and when that was."""

    run_id: str
    token: str
    last: LastEntry
    renewed: Moment


class Times(NamedTuple):
    """The clocks of a store: one that nobody can set, and the wall clock (epoch seconds)."""

    moment: Callable[[], Moment]
    wall: Callable[[], float]


class JournalWriter:
    """The journal of one run that this process owns, in SQLite. It belongs to the event loop of the first append."""

    def __init__(self, place: FilePlace, held: OwnershipHeld, times: Times, closed: Callable[[], None]) -> None:
        self._place = place
        self._run_id, self._token, self._last = held.run_id, held.token, held.last
        self._renewed_at = held.renewed.at
        self._times = times
        self._closed = closed
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._events: list[Event] = []
        self._group: _Group | None = None
        self._closing = threading.Event()
        self._closing_at = math.inf
        self._committed_at = -math.inf
        self._blocked_since: float | None = None
        self._said_blocked = False
        self._failure: RunnerError | None = None
        self._failed: Callable[[RunnerError], None] | None = None
        self._blocked: Callable[[bool], None] | None = None
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    @property
    def failure(self) -> RunnerError | None:
        """What ended the journal, or None while it works."""
        return self._failure

    @property
    def owned_until(self) -> float:
        """Until when nobody else can have the run, by the store's clock."""
        return -math.inf if self._failure is not None else self._renewed_at + LEASE_S

    @property
    def is_owned(self) -> bool:
        """Whether nobody else can have the run at this moment."""
        return self._times.moment().at < self.owned_until

    @property
    def is_blocked(self) -> bool:
        """Whether another process holds the database, so that nothing becomes durable for now."""
        return self._blocked_since is not None

    def on_failure(self, callback: Callable[[RunnerError], None]) -> None:
        """Have `callback` called once, in the event loop, when the journal fails."""
        with self._lock:
            self._bind()
            self._failed = callback
            if self._failure is not None:
                self._call(callback, self._failure)

    def on_blocked(self, callback: Callable[[bool], None]) -> None:
        """Have `callback` called in the event loop when the database is held by another process, and when it is free."""
        with self._lock:
            self._bind()
            self._blocked = callback

    def append(self, events: Sequence[Event]) -> Awaitable[None]:
        """Put events at the end; the awaitable is done when they are durable."""
        with self._lock:
            group = self._group or self._new_group()
            if self._failure is None:
                idle = not self._events
                self._events.extend(events)
                if idle:
                    self._work.notify()
            return group

    def close(self) -> None:
        """Write what is queued and give up ownership."""
        self._closing_at = time.monotonic()
        self._closing.set()
        with self._lock:
            self._work.notify()
        self._thread.join()
        self._closed()

    def _new_group(self) -> _Group:
        group = self._group = _Group(loop=self._bind(), held_up=self._held_up)
        if self._failure is not None:
            _finish(group, self._failure)
        return group

    def _bind(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def _write(self) -> None:
        """The thread: commit groups until closed or failed."""
        try:
            db = self._patiently(lambda: open_again(self._place, _TRY_S))
            try:
                while self._write_group(db):
                    pass
                self._change(db, "release_run")
            finally:
                db.close()
        except RunnerError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001  whatever ends the thread, nobody may wait for it any longer
            self._fail(self._in_words(error))

    def _write_group(self, db: apsw.Connection) -> bool:
        with self._lock:
            if not self._events and not self._closing.is_set():
                self._work.wait(self._renewed_at + HEARTBEAT_S - self._times.moment().at)
        self._closing.wait(self._committed_at + _COMMIT_EVERY_S - time.monotonic())
        self._renew_if_due(db)
        with self._lock:
            events, self._events = self._events, []
            group = self._group
            if events:
                self._group = None
        if not events:
            return not self._closing.is_set()
        try:
            self._commit(db, events)
            self._renew_if_due(db)
        except BaseException as error:
            # Those who wait for this group hear of it here, and find the journal failed; `_fail` tells those of the next.
            self._failure = error if isinstance(error, RunnerError) else self._in_words(error)
            self._settle(group, self._failure)
            raise self._failure from error
        self._settle(group, None)
        return True

    def _renew_if_due(self, db: apsw.Connection) -> None:
        if self._times.moment().at < self._renewed_at + HEARTBEAT_S:
            return
        renewed, changed = self._change(db, "renew")
        if not changed:
            raise OwnershipLost(self._run_id)
        self._renewed_at = renewed.at

    def _commit(self, db: apsw.Connection, events: Sequence[Event]) -> None:
        if self._committed_at == -math.inf:
            self._change(db, "begin_again")
        self._committed_at = time.monotonic()
        seq, batch = self._last.seq + 1, encode_batch(events)
        last = LastEntry(seq, next_hash(self._last.hash, seq, *batch))
        tasks = pack(batch.tasks) or None
        texts = {"events": batch.events.decode(), "details": batch.details.decode(), "tasks": tasks}
        _, changed = self._change(db, "append", seq=seq, before=self._last.hash, hash=last.hash, **texts)
        if not changed:
            raise self._not_ours(db)
        self._last = last

    def _change(self, db: apsw.Connection, name: str, **values: object) -> tuple[Moment, int]:
        """Perform a query that changes something only while the run is ours; when, and how many rows it changed.

        Raises:
            StateFolderError: the file that was changed is not the one at its path any more.
        """

        def change() -> tuple[Moment, int]:
            moment = self._times.moment()
            before = db.total_changes()
            ours = {"id": self._run_id, "token": self._token, **renewal_columns(moment, self._times.wall())}
            db.execute(queries()[name], ours | values)
            return moment, db.total_changes() - before

        done = self._patiently(change)
        self._place.check()
        return done

    def _not_ours(self, db: apsw.Connection) -> RunnerError:
        ours = {"id": self._run_id, "token": self._token}
        if not list(db.execute(queries()["is_ours"], ours)):
            return OwnershipLost(self._run_id)
        return JournalChanged(self._run_id)

    def _patiently(self, call: Callable[[], T]) -> T:
        """Try until no other process holds the database: it must not end a run."""
        while True:
            try:
                done = call()
            except BUSY:
                self._held_by_another()
                if time.monotonic() > self._closing_at + _CLOSING_S:
                    raise
                time.sleep(_PAUSE_S)
            else:
                self._free_again()
                return done

    def _held_by_another(self) -> None:
        now = time.monotonic()
        if self._blocked_since is None:
            self._blocked_since = now
        elif not self._said_blocked and now - self._blocked_since >= _SAY_AFTER_S:
            self._say_blocked(blocked=True)

    def _free_again(self) -> None:
        if self._blocked_since is not None:
            self._blocked_since = None
            if self._said_blocked:
                self._say_blocked(blocked=False)

    def _held_up(self) -> RunnerError | None:
        return in_words(self._place.path, apsw.BusyError()) if self.is_blocked else None

    def _say_blocked(self, *, blocked: bool) -> None:
        with self._lock:
            if self._blocked is not None:
                self._said_blocked = blocked
                self._call(self._blocked, blocked)

    def _settle(self, group: _Group | None, error: RunnerError | None) -> None:
        if group is not None:
            self._call(_finish, group, error)

    def _fail(self, error: RunnerError) -> None:
        with self._lock:
            self._failure = error
            self._settle(self._group, error)
            if self._failed is not None:
                self._call(self._failed, error)

    def _call(self, callback: Callable[..., None], *arguments: object) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(callback, *arguments)

    def _in_words(self, error: BaseException) -> RunnerError:
        if isinstance(error, apsw.Error | OSError):
            return in_words(self._place.path, error)
        return StateFolderError(f"the journal cannot be written: {error}", hint="go on with `runner resume`")


class _Group(asyncio.Future[None]):
    """Done when a group is committed. A task that is cancelled while it waits must not cancel what others wait for.

    Unless the commit is `held_up` by another process: nobody knows for how long, and whoever is cancelled wants to go.
    """

    def __init__(self, *, loop: asyncio.AbstractEventLoop, held_up: Callable[[], RunnerError | None]) -> None:
        super().__init__(loop=loop)
        self._held_up = held_up
        self.add_done_callback(_retrieved)

    def cancel(self, msg: object = None) -> bool:
        """Not before the commit is over, or held up."""
        del msg
        self.get_loop().call_later(_CANCEL_S, self._give_up)
        return False

    def _give_up(self) -> None:
        error = self._held_up()
        if error is not None:
            _finish(self, error)
        elif not self.done():
            self.cancel()


def _finish(group: _Group, error: RunnerError | None) -> None:
    if group.done():
        return
    if error is None:
        group.set_result(None)
    else:
        group.set_exception(error)


def _retrieved(group: asyncio.Future[None]) -> None:
    """Mark a failure as seen: an append need not be awaited."""
    if not group.cancelled():
        group.exception()
