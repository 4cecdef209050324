"""The store in a state folder, and a run as lists show it: what a command needs that reads none of them."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runner.app.folder import journal_path
from runner.journal.sqlite import SqliteStore
from runner.model import JsonObject

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.journal.store import RunRow, RunStore

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


def run_object(row: RunRow) -> RunObject:
    """A run as lists show it."""
    started = datetime.fromtimestamp(row.started_at, UTC)
    return {
        "id": row.id,
        "campaign": row.campaign,
        "state": row.state.value,
        "plan_hash": row.plan_hash,
        "started_at": started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "counts": dict(row.counts) if row.counts is not None else None,
    }
