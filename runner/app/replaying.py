"""A run as its journal tells it, with a clock that goes on from there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from runner.app.history import stored_plan
from runner.engine.clock import Reading, RunClock
from runner.run import events as e
from runner.run.evolve import evolve
from runner.run.facts import initial_facts

if TYPE_CHECKING:
    from runner.app.host import Host
    from runner.engine.ports import MachineClock
    from runner.journal.store import RunStore
    from runner.plan.plan import Plan
    from runner.run.facts import Facts


class Replayed(NamedTuple):
    """What is true of a run. `since` is when it last did anything, by `clock`; where no clock tells, as late as can be."""

    plan: Plan
    facts: Facts
    clock: RunClock
    since: float


@dataclass(slots=True)
class ToldTime:
    """What the events of a run tell of its time: what clocks showed when a process went to work, and the last event."""

    before: Reading | None = None
    last_at: float = -math.inf

    def take(self, event: e.Event) -> None:
        """Read one more."""
        self.last_at = max(self.last_at, event.at)
        if isinstance(event, e.RunStarted | e.RunResumed):
            self.before = Reading(event.at, event.boot, event.uptime_s)

    def clock(self, machine: MachineClock) -> RunClock:
        """A clock that goes on from there."""
        return RunClock(machine, self.before, self.last_at)


def replayed(host: Host, store: RunStore, run_id: str) -> Replayed:
    """Read a run, and go on counting its time.

    Raises:
        ImpossibleEvent: its journal tells of something that cannot have happened.
    """
    plan = stored_plan(store, run_id)
    facts, told = initial_facts(plan), ToldTime()
    for event in store.read_events(run_id, lean=True):
        evolve(facts, event)
        told.take(event)
    clock, before = told.clock(host.clock), told.before
    is_same_boot = before is not None and bool(before.boot) and before.boot == host.clock.boot
    return Replayed(plan, facts, clock, told.last_at if is_same_boot else clock.now())
