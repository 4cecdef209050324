"""Which runs hold servers, and letting go of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runner.app.listing import open_store
from runner.app.owning import Looking, patiently
from runner.journal.store import HeldByAnother, RunIsOpen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runner.app.host import Host
    from runner.journal.store import LeaseRow, RunStore
    from runner.model import JsonObject


def list_locks(state_dir: Path) -> list[JsonObject]:
    """Every run that holds servers; `until` is when others may take them, None while the run goes on."""
    with open_store(state_dir, reading=True) as store:
        return [_lock(row) for row in store.leases()]


def release_locks(host: Host, state_dir: Path, text: str, say: Callable[[str], None]) -> str:
    """Give the servers of a run free, and return its id; `say` is told of a wait. Raises as `release_in` does."""
    with host.open_store(state_dir) as store:
        looking = Looking(0.0, host.clock.monotonic, say)
        return host.run_loop(patiently(host.clock, looking, lambda: release_in(store, text)))


def release_in(store: RunStore, text: str) -> str:
    """Give the servers of a run free, and return its id. Whoever still has it open can neither append nor send any more.

    Raises:
        HeldByAnother: the run goes on.
    """
    run_id = store.resolve(text)
    try:
        store.fence(run_id)
    except RunIsOpen as refused:
        text = f"run {run_id} goes on: it needs its servers"
        raise HeldByAnother(text, hint="stop it first (SIGINT)", look_again=refused.look_again) from refused
    return run_id


def _lock(row: LeaseRow) -> JsonObject:
    until = None if row.until is None else datetime.fromtimestamp(row.until, UTC).isoformat(timespec="seconds")
    return {"id": row.run_id, "state": row.state, "servers": row.servers, "until": until}
