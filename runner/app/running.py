"""From a plan to a report: a run, new or resumed, on the service or on a simulator."""

from __future__ import annotations

import gc
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runner.app import families
from runner.app.carrying import RunResult, Work, carry_out
from runner.app.holding import own
from runner.app.programs import refuse_unready
from runner.app.replaying import replayed
from runner.app.reporting import NOT_NAMED, ReportPlaces
from runner.engine.clock import RunClock
from runner.errors import InvalidInput, Problem, RefusedToStart
from runner.run.facts import initial_facts
from runner.run.gate import Patience

if TYPE_CHECKING:
    from pathlib import Path

    from runner.app.display import Progress
    from runner.app.host import Host
    from runner.engine.run import Deadline
    from runner.journal.store import OwnedJournal, RunStore
    from runner.plan.plan import Plan
    from runner.simulator.behaviour import Behaviour

_ID_BYTES = 3


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a plan is carried out. `behaviour` is that of the simulator to run against, None for the real service.

    `once_key` is that of the slot of a schedule that a new run is for. From `deadline` on nothing new is sent.
    `try_credential`: one call is made with a credential that the service refused, though it is too soon for that.
    """

    state_dir: Path
    progress: Progress
    report: ReportPlaces = NOT_NAMED
    watch: bool = True
    behaviour: Behaviour | None = None
    ca_bundle: Path | None = None
    wait_for_lock_s: float = 0.0
    deadline: Deadline | None = None
    once_key: str | None = None
    patience: Patience = field(default_factory=Patience)
    try_credential: bool = False


class AlreadyFinished(RefusedToStart):
    """There is nothing left to do of a run."""


def run_plan(host: Host, plan: Plan, options: RunOptions) -> RunResult:
    """Carry a plan out as a new run.

    Raises:
        InvalidInput: it cannot be carried out here: a check's program or variable is missing.
        RefusedToStart: the deadline is over, or a check's program is not the one that was planned.
        SlotTaken: its slot has a run already.
    """
    work = new_work(host, plan, options)
    refuse_unready(plan, host.environ)
    with host.open_store(options.state_dir) as store:
        families.refuse_mixed(store, plan, simulated=options.behaviour is not None)
        return host.run_loop(_carry_out(host, store, work, options))


def resume_run(host: Host, text: str, options: RunOptions) -> RunResult:
    """Go on with a run: what was sent without an answer is looked up first."""
    with host.open_store(options.state_dir) as store:
        return host.run_loop(_go_on(host, store, text, options))


async def _go_on(host: Host, store: RunStore, text: str, options: RunOptions) -> RunResult:
    return await _carry_out(host, store, await more_work(host, store, text, options), options)


async def _carry_out(host: Host, store: RunStore, work: Work, options: RunOptions) -> RunResult:
    gc.freeze()  # the plan stays: the collector need not look through it
    return await carry_out(host, store, work, options)


def new_work(host: Host, plan: Plan, options: RunOptions) -> Work:
    """Carry a plan out as a new run.

    Raises:
        InvalidInput: it cannot be carried out without watching.
        RefusedToStart: the deadline is over.
    """
    if not options.watch and (len(plan.steps) > 1 or plan.rollout is not None):
        what = "several steps" if plan.rollout is None else "waves"
        raise InvalidInput(Problem(f"--no-wait: a campaign of {what} must be watched, for the next ones to start"))
    clock = RunClock(host.clock)
    if options.deadline is not None and options.deadline.at <= clock.wall():
        raise RefusedToStart(
            f"deadline {options.deadline.text} is over: nothing would be sent", hint="give a later one"
        )
    run_id = f"{datetime.fromtimestamp(clock.now(), UTC):%Y%m%d-%H%M%S}-{host.chance.randbytes(_ID_BYTES).hex()}"
    plan = plan.with_servers_made()
    return Work(run_id, plan, initial_facts(plan), clock, journal=None)


async def more_work(host: Host, store: RunStore, text: str, options: RunOptions) -> Work:
    """Go on with a run: `text` is its id, the unique start of it, or `last`.

    Raises:
        InvalidInput: there is no such run.
        RunIsOpen: another process carries it out.
        AlreadyFinished: nothing is left to do of it.
        RefusedToStart: it was against a simulator, or may have been.
    """
    run_id = store.resolve(text)
    journal = await own(host, store, run_id, options)
    try:
        return _read(host, store, run_id, journal)
    except BaseException:
        journal.close()
        raise


def _read(host: Host, store: RunStore, run_id: str, journal: OwnedJournal) -> Work:
    run = replayed(host, store, run_id)
    state = run.facts
    families.refuse_rehearsal(store.run(run_id))
    if state.ended is not None and state.ended.is_over:
        raise AlreadyFinished(f"run {run_id} is {state.ended}", hint=f"see it with `runner show {run_id}`")
    return Work(run_id, run.plan, state, run.clock, journal)
