"""Forgetting old runs, and whatever is left of runs that are not there any more."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.app.listing import open_store
from runner.errors import StateFolderError
from runner.model import RunState
from runner.rules.pruning import KeptFor, Needed, PrunedRow, choose, is_open
from runner.settings import report_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from runner.journal.store import RunStore

# A report of ours, or what is left of one that was being written: nothing else in the folder is touched.
_REPORT = re.compile(r"\.?(\d{8}-\d{6}-[0-9a-f]{6})\.json(\..+)?")
# A plan is saved before its run is made, which may wait for servers: for so long it is not without a run, seconds.
_ABOUT_TO_RUN_S = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class Pruning:
    """What is forgotten, or would be; `kept` says how many of the old runs stay, and why. `plans` are those without a run.

    `freed` is in bytes; None where nothing was done, or where the database keeps its size: `note` says why.
    """

    before: float
    runs: Sequence[PrunedRow]
    kept: Mapping[KeptFor, int]
    reports: Sequence[Path]
    plans: Sequence[str]
    freed: int | None = None
    note: str = ""


def find_prunable(state_dir: Path, now: float, older_than_s: float, keep: int) -> Pruning:
    """What `prune` would forget."""
    with open_store(state_dir, reading=True) as store:
        return _found(store, state_dir, now, older_than_s, keep)


def prune(state_dir: Path, now: float, older_than_s: float, keep: int) -> Pruning:
    """Forget old runs with their plans, journals and reports; and old plans and reports that have no run.

    `now` is epoch seconds. A slot that such a run has stays taken. Each run is forgotten whole or not at all.

    Raises:
        StateFolderError: it cannot be written; what was forgotten before that is.
    """
    with open_store(state_dir) as store:
        found = _found(store, state_dir, now, older_than_s, keep)
        size = store.history.size()
        store.history.delete([row.id for row in found.runs])
        plans = _plans(store, now, older_than_s)
        for plan_hash in plans:
            store.history.delete_plan(plan_hash)
        freed = sum(_delete(path) for path in found.reports)
        note = _shrink(store) if found.runs or plans else ""
        freed += max(0, size - store.history.size())
    return Pruning(found.before, found.runs, found.kept, found.reports, plans, freed, note)


def _found(store: RunStore, state_dir: Path, now: float, older_than_s: float, keep: int) -> Pruning:
    before = max(0.0, now - older_than_s)
    rows = [
        PrunedRow(row.id, row.campaign, row.started_at, RunState.RUNNING if row.is_open else row.state, row.simulated)
        for row in store.runs()
    ]
    families = {kin for row in rows if is_open(row) for kin in store.history.family(row.id)}
    held = {lease.run_id for lease in store.leases() if lease.until is None or lease.until > now}
    needed = Needed(held, store.history.slot_keepers(), families)
    gone, kept = choose(rows, before, keep, needed)
    going = {row.id for row in gone}
    staying = {row.id for row in rows} - going
    reports = [
        path for path, run_id in _reports(state_dir) if run_id in going or _is_left(path, run_id, staying, before)
    ]
    return Pruning(before, gone, kept, reports, _plans(store, now, older_than_s))


def _plans(store: RunStore, now: float, older_than_s: float) -> list[str]:
    return store.history.plans_without_run(now - max(older_than_s, _ABOUT_TO_RUN_S))


def _reports(state_dir: Path) -> Iterator[tuple[Path, str]]:
    """The reports in the state folder, and the runs that they are of."""
    folder = report_path(state_dir, "").parent
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        match = _REPORT.fullmatch(path.name)
        if match is not None and path.is_file():
            yield path, match[1]


def _is_left(path: Path, run_id: str, staying: Collection[str], before: float) -> bool:
    """Whether it is old, and of no run that stays, or only half written."""
    is_whole = path.name == f"{run_id}.json"
    return not (is_whole and run_id in staying) and path.stat().st_mtime < before


def _delete(path: Path) -> int:
    try:
        size = path.stat().st_size
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StateFolderError(f"{path} cannot be deleted: {error.strerror}") from error
    return size


def _shrink(store: RunStore) -> str:
    """Make the database smaller, if nobody waits for it meanwhile. Return why not."""
    if any(row.is_open for row in store.runs()):
        return "a run goes on, so the database keeps its size for now; what is free in it is used again"
    try:
        store.history.shrink()
    except StateFolderError as error:
        return f"the database keeps its size, and what is free in it is used again: {error.message}"
    return ""
