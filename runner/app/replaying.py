"""A run as its journal tells it, with a clock that goes on from there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from runner.app.history import stored_plan
from runner.engine.clock import Reading, RunClock
from runner.run import events as e
from runner.run.evolve import evolve
from runner.run.facts import initial_facts

if TYPE_CHECKING:
    from runner.app.host import Host
    from runner.journal.store import RunStore
    from runner.plan.plan import Plan
    from runner.run.facts import Facts


class Replayed(NamedTuple):
    """What is true of a run. `since` is when it last did anything, by `clock`; where no clock tells, as late as can be."""

    plan: Plan
    facts: Facts
    clock: RunClock
    since: float


def replayed(host: Host, store: RunStore, run_id: str) -> Replayed:
    """Read a run, and go on counting its time.

    Raises:
        ImpossibleEvent: its journal tells of something that cannot have happened.
    """
    plan = stored_plan(store, run_id)
    facts, before, last_at = initial_facts(plan), None, -math.inf
    for event in store.read_events(run_id, lean=True):
        evolve(facts, event)
        last_at = max(last_at, event.at)
        if isinstance(event, e.RunStarted | e.RunResumed):
            before = Reading(event.at, event.boot, event.uptime_s)
    clock = RunClock(host.clock, before, last_at)
    is_same_boot = before is not None and bool(before.boot) and before.boot == host.clock.boot
    return Replayed(plan, facts, clock, last_at if is_same_boot else clock.now())
