"""The past of runs in SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import apsw
import orjson

from runner.journal.history import PastRun, SlotRow
from runner.journal.queries import queries
from runner.journal.troubles import translated
from runner.model import Json, RunState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from runner.journal.store import RunRow


class SqliteHistory:
    """The past of the store in the file `path`; `row_of` tells of one run."""

    def __init__(self, db: apsw.Connection, path: Path, row_of: Callable[[str], RunRow]) -> None:
        self._db = db
        self._path = path
        self._row_of = row_of

    def family(self, run_id: str) -> list[str]:
        """The ids of all runs that were retried from one another."""
        return [kin for (kin,) in self._execute("family", id=run_id)]

    def parents(self, run_id: str) -> tuple[str, ...]:
        """The runs that a run does again in part."""
        return tuple(parent for (parent,) in self._execute("parents", id=run_id))

    def later(self, campaign: str | None, after: int, *, simulated: bool) -> Iterator[PastRun]:
        """The later runs of a campaign, or of all, the newest first; each is read when it is asked for."""
        values = {"campaign": campaign, "after": after, "simulated": int(simulated)}
        with translated(self._path):
            for run_id, seq, plan_hash, digests, sent in self._db.execute(queries()["later_runs"], values):
                yield PastRun(run_id, seq, plan_hash, digests, bool(sent))

    def slot(self, once_key: str) -> SlotRow | None:
        """The run that has a slot."""
        for run_id, campaign, state in self._execute("pruned_slot", once_key=once_key):
            return SlotRow(run_id, campaign, RunState(state), None)
        for (run_id,) in self._execute("find_slot", once_key=once_key):
            row = self._row_of(run_id)
            return SlotRow(run_id, row.campaign, row.state, row.counts)
        return None

    def slot_keepers(self) -> set[str]:
        """The runs that have the newest slot of their campaign."""
        return {run_id for (run_id,) in self._execute("slot_keepers")}

    def delete(self, run_ids: Sequence[str]) -> None:
        """Forget runs; their slots stay taken."""
        self._execute("release_all_of", runs=orjson.dumps(list(run_ids)).decode())
        for run_id in run_ids:
            row = self._row_of(run_id)
            with translated(self._path), self._db:
                self._execute("keep_slots", id=run_id, state=row.state)
                self._execute("delete_run", id=run_id)
                self._execute("delete_plan", plan_hash=row.plan_hash)

    def plans_without_run(self, before: float) -> list[str]:
        """The hashes of plans that no run has."""
        return [plan_hash for (plan_hash,) in self._execute("plans_without_run", before=before)]

    def delete_plan(self, plan_hash: str) -> None:
        """Forget a plan, if no run has it."""
        with translated(self._path), self._db:
            self._execute("delete_plan", plan_hash=plan_hash)

    def size(self) -> int:
        """The bytes of the database."""
        with translated(self._path):
            return int(self._db.pragma("page_count")) * int(self._db.pragma("page_size"))

    def shrink(self) -> None:
        """Write the database anew without the space that is free."""
        with translated(self._path):
            self._db.execute("VACUUM")
            self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)

    def _execute(self, name: str, **values: Json) -> list[tuple[Any, ...]]:
        with translated(self._path):
            return list(self._db.execute(queries()[name], values))
