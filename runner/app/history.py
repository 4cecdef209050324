"""The runs that a state folder holds: list them, read one, write its report again."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from runner.app.folder import journal_path
from runner.app.posted import pending_commands
from runner.journal.sqlite import SqliteStore
from runner.model import JsonObject, RunState
from runner.plan.codec import plan_from_json
from runner.report.files import report_to_json
from runner.report.fold import Report, fold, make_report
from runner.report.standing_text import standing_lines
from runner.report.text import summary_text
from runner.run.live import LiveRun
from runner.run.standing import standing
from runner.settings import report_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.journal.store import RunRow, RunStore
    from runner.plan.plan import Plan
    from runner.run.facts import Facts

RunObject = JsonObject
"""One run as `runner list --format json` shows it."""


@contextmanager
def open_store(state_dir: Path, *, reading: bool = False) -> Iterator[RunStore]:
    """The store in a state folder, which is made if need be; one for `reading` only may be where nothing can be written.

    Raises:
        StateFolderError: it cannot be used.
    """
    store = SqliteStore(journal_path(state_dir), reading=reading)
    try:
        yield store
    finally:
        store.close()


def stored_plan(store: RunStore, run_id: str) -> Plan:
    """The plan of a run."""
    return plan_of(store, store.run(run_id).plan_hash, run_id)


def plan_of(store: RunStore, plan_hash: str, run_id: str) -> Plan:
    """A plan by its hash; `run_id` is for what is said of one that cannot be read."""
    return plan_from_json(store.load_plan(plan_hash), f"plan of run {run_id}")


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as its journal tells it. `pending` is what people asked of it that it has not taken in yet.

    `default_path` is where its report goes in the state folder, `kept_path` the file that a person named for it.
    """

    row: RunObject
    report: Report
    facts: Facts
    default_path: Path
    pending: tuple[str, ...] = ()
    kept_path: Path | None = None

    def report_bytes(self) -> bytes:
        """The report as JSON; the same bytes every time, once the run is over."""
        return report_to_json(self.report)

    def summary(self, now: float | None = None) -> str:
        """The report in a few lines, for a person; of a run that goes on, with what it waits for `now` (epoch seconds)."""
        waits = []
        if now is not None and self.row["state"] == RunState.RUNNING:
            found = standing(self.facts, now, LiveRun(self.facts).sight(now))
            waits = standing_lines(found, self.row["id"])
        return summary_text(self.report, self.facts, self.pending, waits)


def read_run(state_dir: Path, text: str) -> StoredRun:
    """One run. `text` is its id, the unique start of it, or `last`."""
    with open_store(state_dir, reading=True) as store:
        return stored_run(store, store.resolve(text), state_dir)


def stored_run(store: RunStore, run_id: str, state_dir: Path, plan: Plan | None = None) -> StoredRun:
    """One run, by its exact id; `plan` is its plan where that is at hand."""
    row = store.run(run_id)
    unended = RunState.RUNNING if row.state == RunState.RUNNING else RunState.INTERRUPTED
    head = store.head(run_id)
    folded = fold(plan or stored_plan(store, run_id), store.read_events(run_id))
    report = make_report(folded, run_id, unended_state=unended, journal_head=head)
    pending = tuple(
        f"{asked.command.action} {asked.command.shown()}".strip()
        for asked in pending_commands(store, run_id, folded.facts)
    )
    kept = Path(row.report) if row.report is not None else None
    return StoredRun(_run_object(row), report, folded.facts, report_path(state_dir, run_id), pending, kept)


def list_runs(
    state_dir: Path, *, campaign: str | None = None, state: RunState | None = None, limit: int | None = None
) -> list[RunObject]:
    """The runs, newest first: of one campaign, in one state, at most so many; None: whatever."""
    with open_store(state_dir, reading=True) as store:
        return [_run_object(row) for row in store.runs(campaign=campaign, state=state, limit=limit)]


def _run_object(row: RunRow) -> RunObject:
    started = datetime.fromtimestamp(row.started_at, UTC)
    return {
        "id": row.id,
        "campaign": row.campaign,
        "state": row.state.value,
        "plan_hash": row.plan_hash,
        "started_at": started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "counts": dict(row.counts) if row.counts is not None else None,
    }
