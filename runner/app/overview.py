"""The runs of a state folder at a glance: of one that has no end, how it stands is read from its journal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from runner.app.listing import open_store, run_object
from runner.errors import RunnerError
from runner.model import Outcome, RunState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from runner.journal.store import RunRow, RunStore
    from runner.model import JsonObject

BAD = (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.UNKNOWN, Outcome.SKIPPED)


class RunProgress(NamedTuple):
    """Servers of a run: those that succeeded, those that are abnormal or were skipped, and the rest."""

    good: int
    bad: int
    left: int


ReadUnended = Callable[["RunStore", "RunRow"], tuple[RunProgress, tuple[str, ...]]]
"""Tells how a run stands, and what it waits for, in words."""


class RunAtAGlance(NamedTuple):
    """A run in the list. `progress` is None where it cannot be told; `waits` are of one that goes on, in words.

    `exit_code` is what its last process ended with, None where none ended by itself. `retry_of` are the runs that it does
    again in part.
    """

    row: RunRow
    progress: RunProgress | None
    waits: tuple[str, ...]
    exit_code: int | None
    retry_of: tuple[str, ...]

    def as_json(self) -> JsonObject:
        """The row of the list, as JSON has it."""
        progress = self.progress._asdict() if self.progress is not None else None
        more = {"progress": progress, "waits": list(self.waits), "retry_of": list(self.retry_of)}
        return {**run_object(self.row), "exit_code": self.exit_code, **more}


def runs_at_a_glance(
    state_dir: Path,
    unended: ReadUnended,
    *,
    campaign: str | None = None,
    state: RunState | None = None,
    limit: int | None = None,
) -> Iterator[RunAtAGlance]:
    """The runs, newest first: of one campaign, in one state, at most so many; None: whatever.

    `unended` reads one that has no end, from its journal: most lists need not even know how.
    """
    with open_store(state_dir, reading=True) as store:
        for row in store.runs(campaign=campaign, state=state, limit=limit):
            yield _at_a_glance(unended, store, row)


def _at_a_glance(unended: ReadUnended, store: RunStore, row: RunRow) -> RunAtAGlance:
    progress, waits = None if row.counts is None else _progress(row.counts), tuple[str, ...]()
    if row.counts is None or row.state is RunState.RUNNING:
        try:
            progress, waits = unended(store, row)
        except RunnerError:  # what is wrong with one run is no reason not to list the others; `show` says it
            waits = ("its journal cannot be read: see `runner verify`",)
    ending = store.ending(row.id)
    return RunAtAGlance(row, progress, waits, ending.exit_code if ending else None, store.history.parents(row.id))


def _progress(counts: Mapping[str, int]) -> RunProgress:
    good, bad = counts[Outcome.SUCCEEDED], sum(counts.get(outcome, 0) for outcome in BAD)
    return RunProgress(good, bad, sum(counts.get(outcome, 0) for outcome in Outcome) - good - bad)
