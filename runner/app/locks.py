"""Which runs hold servers, and letting go of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runner.app.history import open_store
from runner.errors import RefusedToStart

if TYPE_CHECKING:
    from pathlib import Path

    from runner.journal.store import LeaseRow, RunStore
    from runner.model import JsonObject


def list_locks(state_dir: Path) -> list[JsonObject]:
    """Every run that holds servers; `until` is when others may take them, None while the run goes on."""
    with open_store(state_dir) as store:
        return [_lock(row) for row in store.leases()]


def release_locks(state_dir: Path, text: str) -> str:
    """Give the servers of a run free, and return its id. Raises as `release_in` does."""
    with open_store(state_dir) as store:
        return release_in(store, text)


def release_in(store: RunStore, text: str) -> str:
    """Give the servers of a run free, and return its id.

    Raises:
        RefusedToStart: the run goes on.
    """
    run_id = store.resolve(text)
    if store.run(run_id).is_open:
        raise RefusedToStart(f"run {run_id} goes on: it needs its servers", hint="stop it first (SIGINT)")
    store.release(run_id)
    return run_id


def _lock(row: LeaseRow) -> JsonObject:
    until = None if row.until is None else datetime.fromtimestamp(row.until, UTC).isoformat(timespec="seconds")
    return {"id": row.run_id, "state": row.state, "servers": row.servers, "until": until}
