"""A slot of a schedule: at most one run, at its time. What a command that is started for a slot has to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from runner.model import RunState

if TYPE_CHECKING:
    from collections.abc import Mapping


class CatchUp(StrEnum):
    """What to do about a slot that is over before its run could start."""

    SKIP = "skip"
    RUN = "run"
    FAIL = "fail"


class Holder(NamedTuple):
    """The run that has the slot. `counts` are servers by outcome, None where it did not end."""

    run_id: str
    campaign: str
    state: RunState
    counts: Mapping[str, int] | None


class Attempt(NamedTuple):
    """What was asked for.

    `key` is that of the slot, None for a command that may run as often as it is started. Simulated runs have slots of
    their own, so that a rehearsal takes none away. `closed` is what to say of a slot that it is too late for; None
    while it is open.
    """

    key: str | None
    campaign: str
    simulated: bool
    closed: str | None
    catch_up: CatchUp


@dataclass(frozen=True, slots=True)
class Start:
    """Make a new run."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on with the slot's run."""

    run_id: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Nothing is to be done, and nothing is wrong."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """It must not be done."""

    reason: str
    hint: str


Step = Start | Resume | Leave | Refuse


def next_step(attempt: Attempt, holder: Holder | None) -> Step:
    """What to do for a slot, given the run that has it, if there is one."""
    answer = None if holder is None else _of_holder(attempt, holder)
    if answer is not None:
        return answer
    if attempt.closed is not None and attempt.catch_up is not CatchUp.RUN:
        return _missed(attempt, holder)
    return Start() if holder is None else Resume(holder.run_id)


def _of_holder(attempt: Attempt, holder: Holder) -> Step | None:
    """The answer where the slot's run gives it; None where it is to go on if it is not too late."""
    key, run = attempt.key, f"run {holder.run_id}"
    own_key = "give this one a --once-key of its own"
    if holder.campaign != attempt.campaign:
        return Refuse(f"{key} is taken by {run} of {holder.campaign}, and this is {attempt.campaign}", own_key)
    if holder.state is RunState.RUNNING:
        return Leave(f"{run} is doing {key}")
    if not holder.state.is_resumable:
        return Leave(f"{run} already did {key}: {_how_it_ended(holder)}")
    if attempt.simulated:
        return Refuse(f"{key} is taken by {run}, whose simulator ended with it, so that it cannot go on", own_key)
    return None


def _missed(attempt: Attempt, holder: Holder | None) -> Step:
    left = "nothing is sent" if holder is None else f"run {holder.run_id} stays {holder.state}"
    reason = f"missed{f' {attempt.key}' if attempt.key else ''}: {attempt.closed}; {left}"
    if attempt.catch_up is CatchUp.SKIP:
        return Leave(reason)
    late = "--catch-up run" if holder is None else f"--catch-up run, or with `runner resume {holder.run_id}`"
    return Refuse(reason, f"do it late with {late}")


def _how_it_ended(holder: Holder) -> str:
    counts = holder.counts or {}
    if "servers" not in counts:
        return holder.state
    return f"{holder.state}, {counts.get('succeeded', 0):,} of {counts['servers']:,} servers succeeded"
