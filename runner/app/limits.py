"""The pace of each lane, with what the runs before left of the service's limits, and what this one leaves to the next."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING

from runner.engine.pace import Pace
from runner.errors import StateFolderError
from runner.rules.learned import Learned, begins_at, read_learned

if TYPE_CHECKING:
    from runner.app.carrying import Work
    from runner.app.host import Host
    from runner.journal.store import RunStore

_CREATES, _READS = "creates", "reads"
_READS_BURST = 10


class LaneLimits:
    """The paces of one process's work on a run. Of a simulator nothing is kept, and nothing is believed that was."""

    def __init__(self, host: Host, store: RunStore, work: Work, *, simulated: bool) -> None:
        self._wall = host.clock.wall
        self._store = store
        self._work = work
        self._simulated = simulated
        self._paces: dict[tuple[str, str], Pace] = {}

    def creates(self, lane: int) -> Pace:
        """Of the creates of a lane, by its index."""
        submit, is_new = self._work.plan.submit, self._work.is_new
        return self._pace(lane, _CREATES, self._work.state.rate, submit.burst, resumed=not is_new)

    def reads(self, lane: int) -> Pace:
        """Of its reads."""
        return self._pace(lane, _READS, self._work.plan.watch.rate, _READS_BURST)

    def _pace(self, lane: int, kind: str, rate: float, burst: int, *, resumed: bool = False) -> Pace:
        label = self._work.plan.lanes[lane].label
        kept = None if self._simulated else read_learned(self._store.limits.read(label, kind))
        pace = self._paces[label, kind] = Pace(
            None if math.isinf(rate) else rate,
            burst,
            self._work.clock,
            resumed=resumed,
            longest_pause_s=self._work.plan.submit.longest_pause_s,
            learned=begins_at(kept, rate, self._wall()),
        )
        return pace

    def keep(self) -> None:
        """Leave what was learned to the next run; where the state folder does not take it, that begins without."""
        if self._simulated:
            return
        with suppress(StateFolderError):
            for (label, kind), pace in self._paces.items():
                learned = pace.learner.learned
                if learned is not None:
                    self._store.limits.keep(label, kind, Learned(learned, self._wall()).text())
                elif pace.learner.is_active:  # all that is asked for gets through
                    self._store.limits.keep(label, kind, None)
