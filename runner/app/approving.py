"""What must hold of a plan before it is carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import InvalidInput, Problem, RefusedToStart
from runner.rules.windows import longest_stretch_s
from runner.spec.rollout.windows import window_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.plan.plan import Plan

_SHOWN = 3
_HOUR_S = 3600


def refuse_unapproved(plan: Plan, required_hash: str | None, max_age_s: float | None, now: float) -> None:
    """Check hash and age; `now` is epoch seconds.

    Raises:
        RefusedToStart: the plan is another one than was approved, or too old.
    """
    if required_hash is not None and required_hash != plan.plan_hash:
        raise RefusedToStart(
            f"the plan is {plan.plan_hash}, and {required_hash} is required", hint="have this plan approved"
        )
    age_s = now - plan.created_at
    if max_age_s is not None and age_s > max_age_s:
        raise RefusedToStart(
            f"the plan is {_in_words(age_s)} old, and {_in_words(max_age_s)} are allowed",
            hint="make it anew with `runner plan -o`; `runner diff` shows what changed",
        )


def refuse_vanished(plan: Plan, inventory_ids: Iterable[str], inventory: str) -> None:
    """Check that the inventory of today still has every server of the plan.

    Raises:
        RefusedToStart: some are gone.
    """
    known = set(inventory_ids)
    gone = [server.id for group in plan.groups for server in group.servers if server.id not in known]
    if gone:
        more = f" and {len(gone) - _SHOWN:,} more" if len(gone) > _SHOWN else ""
        raise RefusedToStart(
            f"{len(gone):,} servers of the plan are no longer in {inventory}: {', '.join(gone[:_SHOWN])}{more}",
            hint="make the plan anew with `runner plan -o`",
        )


def refuse_unfitting(plan: Plan) -> None:
    """Check that each step of a plan with windows fits into one of them.

    Raises:
        InvalidInput: one never does.
    """
    if plan.rollout is None or plan.rollout.window is None:
        return
    longest_s = longest_stretch_s(window_of(plan.rollout.window), plan.created_at)
    for name, expected_s in zip(plan.steps, plan.rollout.expected_s, strict=True):
        if expected_s > longest_s:
            message = (
                f"no window is long enough for step `{name}`: it is expected to last {_in_words(expected_s)}, and "
            )
            message += f"the longest is {_in_words(longest_s)}" if longest_s else "none is ever open"
            raise InvalidInput(Problem(message, path="rollout.window", hint="say less in expected_duration, if it is"))


def _in_words(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} hours" if seconds >= _HOUR_S else f"{seconds:,.3g} seconds"
