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
from runner.report.text import Around, last_line, summary_of
from runner.run.live import LiveRun
from runner.run.standing import standing
from runner.settings import report_path

if TYPE_CHECKING:
    from pathlib import Path

    from runner.app.listing import RunObject
    from runner.app.reporting import NamedReport
    from runner.journal.store import RunStore
    from runner.plan.plan import Plan
    from runner.run.standing import Standing


def stored_plan(store: RunStore, run_id: str) -> Plan:
    """The plan of a run."""
    return plan_of(store, store.run(run_id).plan_hash, run_id)


def plan_of(store: RunStore, plan_hash: str, run_id: str) -> Plan:
    """A plan by its hash; `run_id` is for what is said of one that cannot be read."""
    return plan_from_json(store.load_plan(plan_hash), f"plan of run {run_id}")


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as its journal tells it. `pending` is what people asked of it that it has not taken in yet.

    `carrier` is the process that carries it out, as far as anybody knows; empty: none does.
    `default_path` is where its report goes in the state folder, `kept` are the files that a person named for it.
    """

    row: RunObject
    report: RunReport
    default_path: Path
    pending: tuple[str, ...] = ()
    kept: tuple[NamedReport, ...] = ()
    carrier: str = ""

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
        found = None if now is None else self.standing(now)
        waits = standing_lines(found, self.row["id"]) if found is not None else []
        return summary_of(self.report, Around(self.pending, waits, self.carrier))

    def standing(self, now: float) -> Standing | None:
        """How it stands at `now`, epoch seconds; None: nobody carries it out."""
        facts = self.report.facts
        return standing(facts, now, LiveRun(facts).sight(now)) if self.row["state"] == RunState.RUNNING else None

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
    carrier = f"process {row.owner.pid} on {row.owner.host}" if row.owner is not None and row.is_open else ""
    return StoredRun(run_object(row), report, report_path(state_dir, run_id), pending, kept, carrier)
