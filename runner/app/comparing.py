"""Plan against plan, or plan against what a run did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runner.app.history import stored_plan, stored_run
from runner.app.listing import open_store
from runner.app.planning import PlanInputs, read_plan
from runner.plan.diff import PlanDiff, diff_plans

if TYPE_CHECKING:
    from runner.model import JsonObject
    from runner.plan.plan import Plan


def compare(state_dir: Path, before: str, after: str) -> PlanDiff:
    """What differs; each side is a plan file (`.json`) or a run. A run on the right side adds what it did not do.

    `undone` are {server_id, outcome} of servers that did not succeed.
    """
    first, _ = _side(state_dir, before)
    second, undone = _side(state_dir, after)
    return {**diff_plans(first, second), "undone": undone}


def _side(state_dir: Path, text: str) -> tuple[Plan, list[JsonObject]]:
    if text.endswith(".json"):
        return read_plan(PlanInputs(Path(text))), []
    with open_store(state_dir, reading=True) as store:
        run_id = store.resolve(text)
        plan = stored_plan(store, run_id)
        report = stored_run(store, run_id, state_dir, plan).report
    changes = (job for job in report.jobs() if job["purpose"] == "change")
    outcomes = {task["server_id"]: task["outcome"] for job in changes for task in job["tasks"]}
    undone = [{"server_id": id_, "outcome": outcome} for id_, outcome in outcomes.items() if outcome != "succeeded"]
    return plan, undone
