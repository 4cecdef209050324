"""Two runs must not work on one server at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.app.history import stored_plan
from runner.campaign.verdict import RUNNING
from runner.errors import RefusedToStart

if TYPE_CHECKING:
    from runner.journal.store import RunStore
    from runner.plan.plan import Plan

_SHOWN = 3


def refuse_overlap(store: RunStore, plan: Plan) -> None:
    """Look at the runs that are at work now in the same state folder.

    Raises:
        RefusedToStart: one of them has servers of this plan.
    """
    ours: set[str] = set()
    for row in store.runs():
        if row.state != RUNNING:
            continue
        ours = ours or _server_ids(plan)
        both = sorted(ours & _server_ids(stored_plan(store, row.id)))
        if both:
            more = f" and {len(both) - _SHOWN:,} more" if len(both) > _SHOWN else ""
            raise RefusedToStart(
                f"run {row.id} of campaign {row.campaign} is at work on {', '.join(both[:_SHOWN])}{more}",
                hint="wait until it is over, or leave these servers out with --limit",
            )


def _server_ids(plan: Plan) -> set[str]:
    return {server.id for group in plan.groups for server in group.servers}
