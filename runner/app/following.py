"""A run of another process, followed by its journal: what is new in it is taken in when it is asked for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from runner.app.history import stored_plan
from runner.app.replaying import ToldTime
from runner.report.details import Details
from runner.run import events as e
from runner.run.facts import initial_facts
from runner.run.live import LiveRun
from runner.run.standing import standing

if TYPE_CHECKING:
    from runner.app.host import Host
    from runner.engine.clock import RunClock
    from runner.journal.store import JournalEntry, RunRow, RunStore
    from runner.run.facts import Facts
    from runner.run.standing import Standing


class FollowedRun:
    """A run as far as its journal was read. The store must stay open; nothing is written to it.

    `details` are what a report knows beside the facts; None: without them, and the journal is read `lean`. `seq` is the
    place of the last entry that was taken in.
    """

    def __init__(self, host: Host, store: RunStore, run_id: str, *, lean: bool = True) -> None:
        self.run_id = run_id
        self.plan = stored_plan(store, run_id)
        self.live = LiveRun(initial_facts(self.plan))
        self.details = None if lean else Details(self.facts)
        self.seq = 0
        self._host = host
        self._store = store
        self._told = ToldTime()

    @property
    def facts(self) -> Facts:
        """What is true of it, as far as it was read."""
        return self.live.facts

    @cached_property
    def _clock(self) -> RunClock:
        return self._told.clock(self._host.clock)

    def take(self) -> list[JournalEntry]:
        """What is new in its journal.

        Raises:
            ImpossibleEvent: it tells of something that cannot have happened.
            StateFolderError: it cannot be read.
        """
        entries = list(self._store.read_entries(self.run_id, self.seq, lean=self.details is None))
        for entry in entries:
            for event in entry.events:
                self._apply(event)
            self.seq = entry.seq
        return entries

    def _apply(self, event: e.Event) -> None:
        self.live.apply(event)
        if self.details is not None:
            self.details.take(event)
        self._told.take(event)
        if isinstance(event, e.RunStarted | e.RunResumed):
            self.__dict__.pop("_clock", None)  # its process counts by another clock from here

    def row(self) -> RunRow:
        """How the list of runs shows it now: whether a process is at work on it, among others."""
        return self._store.run(self.run_id)

    def now(self) -> float:
        """The time by which it counts, epoch seconds."""
        return self._clock.now()

    def standing(self) -> Standing:
        """How it stands now: what it waits for and what comes next."""
        now, wall = self.now(), self._host.clock.wall()
        return standing(self.facts, now, self.live.sight(now, wall))
