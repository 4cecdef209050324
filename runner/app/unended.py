"""How a run stands that has no end yet: read from its journal, for the list of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.app.following import FollowedRun
from runner.app.overview import BAD, RunProgress
from runner.model import Outcome, RunState
from runner.report.standing_text import told_waits

if TYPE_CHECKING:
    from runner.app.host import Host
    from runner.journal.store import RunRow, RunStore


def unended(host: Host, store: RunStore, row: RunRow) -> tuple[RunProgress, tuple[str, ...]]:
    """Its servers, those at work among those that are left; and what it waits for, if a process carries it out.

    Raises:
        StateFolderError: its journal cannot be read.
    """
    run = FollowedRun(host, store, row.id)
    run.take()
    counts, total = run.facts.counts, sum(len(group.servers) for group in run.plan.groups)
    good, bad = counts[Outcome.SUCCEEDED], sum(counts[outcome] for outcome in BAD)
    waits = told_waits(run.standing()) if row.state is RunState.RUNNING else []
    return RunProgress(good, bad, total - good - bad), tuple(dict.fromkeys(wait.what for wait in waits))
