"""The runs of a state folder at a glance: of one that has no end, how it stands is read from its journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner.app.following import FollowedRun
from runner.app.listing import open_store, run_object
from runner.errors import RunnerError
from runner.model import Outcome, RunState
from runner.report.standing_text import told_waits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from runner.app.host import Host
    from runner.journal.store import RunRow, RunStore
    from runner.model import JsonObject
    from runner.run.waits import Wait

_BAD = (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.UNKNOWN, Outcome.SKIPPED)


class Progress(NamedTuple):
    """Servers of a run: those that succeeded, those that are abnormal or were skipped, and the rest."""

    good: int
    bad: int
    left: int


class RunAtAGlance(NamedTuple):
    """A run in the list. `progress` is None where it cannot be told; `waits` are of one that goes on, in words.

    `exit_code` is what its last process ended with, None where none ended by itself. `retry_of` are the runs that it does
    again in part.
    """

    row: RunRow
    progress: Progress | None
    waits: tuple[str, ...]
    exit_code: int | None
    retry_of: tuple[str, ...]

    def as_json(self) -> JsonObject:
        """The row of the list, as JSON has it."""
        progress = self.progress._asdict() if self.progress is not None else None
        more = {"progress": progress, "waits": list(self.waits), "retry_of": list(self.retry_of)}
        return {**run_object(self.row), "exit_code": self.exit_code, **more}


def runs_at_a_glance(
    host: Host, state_dir: Path, *, campaign: str | None = None, state: RunState | None = None, limit: int | None = None
) -> Iterator[RunAtAGlance]:
    """The runs, newest first: of one campaign, in one state, at most so many; None: whatever."""
    with open_store(state_dir, reading=True) as store:
        for row in store.runs(campaign=campaign, state=state, limit=limit):
            yield _at_a_glance(host, store, row)


def _at_a_glance(host: Host, store: RunStore, row: RunRow) -> RunAtAGlance:
    progress, waits = None if row.counts is None else _progress(row.counts), tuple[str, ...]()
    if row.counts is None or row.state is RunState.RUNNING:
        try:
            progress, waits = _from_journal(host, store, row)
        except RunnerError:  # what is wrong with one run is no reason not to list the others; `show` says it
            waits = ("its journal cannot be read: see `runner verify`",)
    ending = store.ending(row.id)
    return RunAtAGlance(row, progress, waits, ending.exit_code if ending else None, store.history.parents(row.id))


def _progress(counts: Mapping[str, int]) -> Progress:
    good, bad = counts[Outcome.SUCCEEDED], sum(counts.get(outcome, 0) for outcome in _BAD)
    return Progress(good, bad, sum(counts.get(outcome, 0) for outcome in Outcome) - good - bad)


def _from_journal(host: Host, store: RunStore, row: RunRow) -> tuple[Progress, tuple[str, ...]]:
    """Those that are at work count as left."""
    run = FollowedRun(host, store, row.id)
    run.take()
    counts, total = run.facts.counts, sum(len(group.servers) for group in run.plan.groups)
    good, bad = counts[Outcome.SUCCEEDED], sum(counts[outcome] for outcome in _BAD)
    waits: list[Wait] = told_waits(run.standing()) if row.state is RunState.RUNNING else []
    return Progress(good, bad, total - good - bad), tuple(dict.fromkeys(wait.what for wait in waits))
