"""Runs for the slots of a schedule: started by cron or a timer, once each, and not too late."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runner.app.planning import once_context
from runner.app.running import AlreadyFinished, RunOptions, resume_run, run_plan
from runner.errors import InvalidInput, Problem, RefusedToStart
from runner.journal.store import RunIsOpen, SlotTaken
from runner.rules import slots
from runner.rules.slots import Attempt, CatchUp, Holder, Leave, Refuse, Resume, Start
from runner.spec.campaign import Place, Template
from runner.spec.moments import is_too_late, next_at, slot_day
from runner.spec.names import Names
from runner.spec.secrets import secret_names
from runner.spec.templates import TemplateProblem, TextRenderer

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.app.carrying import RunResult
    from runner.app.host import Host
    from runner.app.planning import PlanInputs
    from runner.journal.store import RunStore
    from runner.model import JsonObject
    from runner.plan.plan import Plan
    from runner.spec.moments import Moment

_LONGEST_KEY = 200


@dataclass(frozen=True, slots=True)
class Slot:
    """When, and how often, a command may start a run. `once_key` is a template; `latest` the last moment to start."""

    once_key: str | None = None
    latest: Moment | None = None
    catch_up: CatchUp = CatchUp.SKIP


@dataclass(frozen=True, slots=True)
class Untouched:
    """Nothing was to be done, and nothing is wrong."""

    reason: str


def run_in_slot(
    host: Host,
    slot: Slot,
    inputs: PlanInputs,
    make_plan: Callable[[], Plan],
    options: RunOptions,
    *,
    required_hash: str | None,
    warn: Callable[[str], None],
) -> RunResult | Untouched:
    """Do what the slot still needs: a new run of `make_plan`'s plan, or more of the run that it got before.

    Raises:
        InvalidInput: the key or the plan cannot be made.
        RefusedToStart: the slot was missed, and that is to be an error; or its run must not go on.
    """
    attempt = _attempt(host, slot, inputs, host.clock.wall(), simulated=options.behaviour is not None)
    patience_s = _patience(host, slot, options, host.clock.wall())
    options = replace(options, once_key=attempt.key, wait_for_lock_s=patience_s)
    while True:
        step = _next_step(host, attempt, options, required_hash)
        if isinstance(step, Leave):
            return Untouched(step.reason)
        if attempt.closed is not None:
            warn(f"{attempt.closed}; it is done all the same")
        try:
            return _carry_out(host, step, make_plan, options)
        except RunIsOpen as beside:
            return Untouched(beside.message)
        except (SlotTaken, AlreadyFinished):
            continue  # another process was faster: look again what is left to do


def _carry_out(
    host: Host, step: Start | Resume, make_plan: Callable[[], Plan], options: RunOptions
) -> RunResult | Untouched:
    if isinstance(step, Resume):
        return resume_run(host, step.run_id, options)
    plan = make_plan()
    return run_plan(host, plan, options) if plan.requests else Untouched("nothing to do: no server is selected")


def _next_step(host: Host, attempt: Attempt, options: RunOptions, required_hash: str | None) -> Start | Resume | Leave:
    holder = None
    if attempt.key is not None:
        with host.open_store(options.state_dir) as store:
            holder = _holder(store, attempt.key)
            step = slots.next_step(attempt, holder)
            if isinstance(step, Resume):
                _refuse_another_plan(store, step.run_id, required_hash)
    else:
        step = slots.next_step(attempt, None)
    if isinstance(step, Refuse):
        raise RefusedToStart(step.reason, hint=step.hint)
    return step


def _holder(store: RunStore, once_key: str) -> Holder | None:
    row = store.history.slot(once_key)
    return None if row is None else Holder(*row)


def _refuse_another_plan(store: RunStore, run_id: str, required_hash: str | None) -> None:
    plan_hash = store.run(run_id).plan_hash
    if required_hash not in {None, plan_hash}:
        raise RefusedToStart(
            f"run {run_id} carries out plan {plan_hash}, and {required_hash} is required",
            hint="have that plan approved, or give this one a --once-key of its own",
        )


def _attempt(host: Host, slot: Slot, inputs: PlanInputs, now: float, *, simulated: bool) -> Attempt:
    campaign, key = "", None
    if slot.once_key is not None:
        campaign, context = once_context(inputs, host.environ, now, simulated=simulated)
        context["run"] = Names("run", {**context["run"].values, **_slot_day(host, slot, now)})
        key = ("(simulated) " if simulated else "") + _rendered(slot.once_key, context)
    closed = None
    if slot.latest is not None and is_too_late(slot.latest, now, host.zone()):
        latest = f"{slot.latest:%H:%M}" if not isinstance(slot.latest, datetime) else slot.latest.isoformat()
        clock = datetime.fromtimestamp(now, UTC).astimezone(host.zone())
        closed = f"it is {clock:%H:%M:%S}, and {latest} is the latest start"
    return Attempt(key, campaign, simulated, closed, slot.catch_up)


def _slot_day(host: Host, slot: Slot, now: float) -> dict[str, str]:
    """`run.slot`, which only the key of a slot that closes sees."""
    if slot.latest is not None:
        return {"slot": slot_day(slot.latest, now, host.zone()).isoformat()}
    if "run.slot" in (slot.once_key or ""):
        what = "run.slot is the day on which --not-after closes the slot, and that is not given"
        raise InvalidInput(Problem(what, path="--once-key", hint="add --not-after, or use run.date, the day in UTC"))
    return {}


def _rendered(once_key: str, context: JsonObject) -> str:
    place = Place("command line", 1, 1, "--once-key")
    try:
        key = TextRenderer(Template(once_key, place))(context).strip()
    except TemplateProblem as error:
        raise InvalidInput(error.problem) from error
    if secret_names(key):
        raise InvalidInput(Problem("a key is kept and shown, so it must not have a secret in it", path="--once-key"))
    if not 0 < len(key) <= _LONGEST_KEY or not key.isprintable():
        expected = f"expected 1 to {_LONGEST_KEY} printable characters"
        raise InvalidInput(Problem(f"renders to {key[:_LONGEST_KEY]!r}, {expected}", path="--once-key"))
    return key


def _patience(host: Host, slot: Slot, options: RunOptions, now: float) -> float:
    """For how long to wait for servers, seconds: not beyond the latest start."""
    if slot.latest is None or slot.catch_up is CatchUp.RUN:
        return options.wait_for_lock_s
    return max(0.0, min(options.wait_for_lock_s, next_at(slot.latest, now, host.zone()) - now))
