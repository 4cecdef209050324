"""The journal of one run in memory, and what the store keeps of it."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from runner.journal.codec import encode_batch
from runner.journal.ownership import HEARTBEAT_S, LEASE_S, Claim, Seen, Sign
from runner.journal.store import JournalChanged, OwnershipLost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from runner.errors import RunnerError
    from runner.journal.codec import Batch
    from runner.journal.owner import Moment, Owner
    from runner.journal.store import RunRecord
    from runner.run.events import Event


class MemoryRun:
    """A run as the store keeps it."""

    def __init__(self, record: RunRecord, renewed: Moment, wall: float, seq: int) -> None:
        self.record = record
        self.seq = seq
        self.owner = record.owner
        self.renewals = 0
        self.heartbeat_at = wall
        self.renewed = renewed
        self.seen: Seen | None = None
        self.state: str | None = None
        self.counts: Mapping[str, int] | None = None
        self.entries: list[Batch] = []

    @property
    def claim(self) -> Claim:
        """What tells of its ownership."""
        token = self.owner.token if self.owner else None
        sign = Sign(token, self.renewals, self.heartbeat_at, len(self.entries))
        return Claim(self.record.id, self.owner, sign, self.renewed, self.seen, self.record.lease_s)

    def is_owned_with(self, token: str) -> bool:
        """Whether that is the token of its owner."""
        return self.owner is not None and self.owner.token == token

    def renew(self, owner: Owner | None, renewed: Moment, wall: float) -> None:
        """Note a sign of life: the owner renews, another one takes the run, or nobody has it any more."""
        self.owner, self.renewed, self.heartbeat_at, self.seen = owner, renewed, wall, None
        self.renewals += 1


class Lock:
    """Another process holds the store until then, by the clock of the store."""

    def __init__(self) -> None:
        self.until = -math.inf


class MemoryJournal:
    """The journal of one run. An event is durable as soon as it is appended, unless the store is locked.

    With `renews` its owner renews as long as its event loop runs; without, it has the run until somebody takes it.
    """

    def __init__(
        self,
        run: MemoryRun,
        owner: Owner,
        moment: Callable[[], Moment],
        wall: Callable[[], float],
        lock: Lock,
        closed: Callable[[], None],
        *,
        renews: bool,
    ) -> None:
        self._run = run
        self._owner = owner
        self._moment = moment
        self._wall = wall
        self._lock = lock
        self._renews = renews
        self._closed = closed
        self._renewed_at = moment().at
        self._last_seq = len(run.entries)
        self._queue: list[tuple[Batch, asyncio.Future[None]]] = []
        self._renewing: asyncio.TimerHandle | None = None
        self._waiting: asyncio.TimerHandle | None = None
        self.failure: RunnerError | None = None
        self._failed: Callable[[RunnerError], None] | None = None
        self._blocked: Callable[[bool], None] | None = None

    @property
    def owned_until(self) -> float:
        """Until when nobody else can have the run, by the store's clock."""
        if self._renews:
            return -math.inf if self.failure is not None else self._renewed_at + LEASE_S
        return math.inf if self._run.is_owned_with(self._owner.token) else -math.inf

    @property
    def is_owned(self) -> bool:
        """Whether nobody else can have the run at this moment."""
        return self._moment().at < self.owned_until

    @property
    def is_blocked(self) -> bool:
        """Whether the store is locked, so that nothing becomes durable for now."""
        return self._moment().at < self._lock.until

    def on_failure(self, callback: Callable[[RunnerError], None]) -> None:
        """Have `callback` called once when the journal fails."""
        self._failed = callback
        if self.failure is not None:
            callback(self.failure)

    def on_blocked(self, callback: Callable[[bool], None]) -> None:
        """Have `callback` called when an append meets a locked store, and when it is free again."""
        self._blocked = callback

    def append(self, events: Sequence[Event]) -> Awaitable[None]:
        """Put events at the end."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        done.add_done_callback(lambda future: None if future.cancelled() else future.exception())
        self._queue.append((encode_batch(events), done))
        if self._renews and self._renewing is None:
            self._renewing = loop.call_later(HEARTBEAT_S, self._renew)
        if not self.is_blocked:
            self._write()
        elif self._waiting is None:
            self._wait_for_lock()
            self._say_blocked(blocked=True)
        return done

    def close(self) -> None:
        """Give up ownership."""
        self.die()
        if self._run.is_owned_with(self._owner.token):
            self._run.renew(None, self._moment(), self._wall())
        self._closed()

    def die(self) -> None:
        """The process is gone without a word, and with it what was not durable yet."""
        self._queue.clear()
        for timer in (self._renewing, self._waiting):
            if timer is not None:
                timer.cancel()

    def _wait_for_lock(self) -> None:
        left_s = self._lock.until - self._moment().at
        self._waiting = asyncio.get_running_loop().call_later(left_s, self._go_on)

    def _go_on(self) -> None:
        if self.is_blocked:  # for longer than it was
            self._wait_for_lock()
            return
        self._waiting = None
        self._say_blocked(blocked=False)
        if self._renews:
            self._prove()
        self._write()

    def _say_blocked(self, *, blocked: bool) -> None:
        if self._blocked is not None:
            self._blocked(blocked)

    def _write(self) -> None:
        queue, self._queue = self._queue, []
        for batch, done in queue:
            if not self._run.is_owned_with(self._owner.token):
                self._fail(OwnershipLost(self._run.record.id))
            elif len(self._run.entries) != self._last_seq:
                self._fail(JournalChanged(self._run.record.id))
            if self.failure is None:
                self._run.state = self._run.counts = None
                self._run.entries.append(batch)
                self._last_seq += 1
                _settle(done, None)
            else:
                _settle(done, self.failure)

    def _renew(self) -> None:
        if not self.is_blocked:
            self._prove()
        if self.failure is None:
            self._renewing = asyncio.get_running_loop().call_later(HEARTBEAT_S, self._renew)

    def _prove(self) -> None:
        if self._run.is_owned_with(self._owner.token):
            self._run.renew(self._owner, self._moment(), self._wall())
            self._renewed_at = self._run.renewed.at
        else:
            self._fail(OwnershipLost(self._run.record.id))

    def _fail(self, error: RunnerError) -> None:
        if self.failure is None:
            self.failure = error
            if self._failed is not None:
                self._failed(error)


def _settle(done: asyncio.Future[None], error: RunnerError | None) -> None:
    if done.done():  # whoever waited was cancelled
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
