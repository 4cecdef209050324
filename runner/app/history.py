"""A run that a state folder holds: read it, and write its report again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.app.listing import open_store, run_object
from runner.app.posted import pending_commands
from runner.app.reporting import places_from_text
from runner.journal.tasks import StoredTasks
from runner.model import RunState
from runner.plan.codec import plan_from_json
from runner.report.fold import RunReport, fold
from runner.report.format_names import ReportFormat
from runner.report.formats import Pieces
from runner.report.standing_text import standing_lines
from runner.report.text import last_line, summary_of
from runner.run.live import LiveRun
from runner.run.standing import standing
from runner.settings import report_path

if TYPE_CHECKING:
    from pathlib import Path

    from runner.app.listing import RunObject
    from runner.app.reporting import NamedReport
    from runner.journal.store import RunStore
    from runner.plan.plan import Plan


def stored_plan(store: RunStore, run_id: str) -> Plan:
    """The plan of a run."""
    return plan_of(store, store.run(run_id).plan_hash, run_id)


def plan_of(store: RunStore, plan_hash: str, run_id: str) -> Plan:
    """A plan by its hash; `run_id` is for what is said of one that cannot be read."""
    return plan_from_json(store.load_plan(plan_hash), f"plan of run {run_id}")


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as its journal tells it. `pending` is what people asked of it that it has not taken in yet.

    `default_path` is where its report goes in the state folder, `kept` are the files that a person named for it.
    """

    row: RunObject
    report: RunReport
    default_path: Path
    pending: tuple[str, ...] = ()
    kept: tuple[NamedReport, ...] = ()

    def report_pieces(self, form: ReportFormat = ReportFormat.JSON) -> Pieces:
        """The report in a form, piece by piece; the same bytes every time, once the run is over.

        Raises:
            StateFolderError: there will be no whole one, for the journal is damaged.
        """
        for tasks in self.report.tasks():
            if isinstance(tasks, StoredTasks):
                tasks.check()
        return Pieces(self.report, form)

    def summary(self, now: float | None = None) -> str:
        """The report in a few lines, for a person; of a run that goes on, with what it waits for `now` (epoch seconds)."""
        waits = []
        if now is not None and self.row["state"] == RunState.RUNNING:
            found = standing(self.report.facts, now, LiveRun(self.report.facts).sight(now))
            waits = standing_lines(found, self.row["id"])
        return summary_of(self.report, self.pending, waits)

    def last_line(self) -> str:
        """How it ended, in one line."""
        return last_line(self.report.head)


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
    report = RunReport(folded, run_id, unended_state=unended, journal_head=head)
    pending = tuple(
        f"{asked.command.action} {asked.command.shown()}".strip()
        for asked in pending_commands(store, run_id, folded.facts)
    )
    kept = places_from_text(row.report)
    return StoredRun(run_object(row), report, report_path(state_dir, run_id), pending, kept)
