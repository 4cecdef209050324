"""What lanes learned of the service's limits, in the database of a store."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from runner.journal.queries import queries
from runner.journal.troubles import BUSY, translated

if TYPE_CHECKING:
    from pathlib import Path

    import apsw


class SqliteLimits:
    """See `runner.engine.ports.KeptLimits`."""

    def __init__(self, db: apsw.Connection, path: Path) -> None:
        self._db = db
        self._path = path

    def read(self, lane: str, kind: str) -> str | None:
        """See `KeptLimits.read`."""
        with translated(self._path):
            found = self._db.execute(queries()["learned_limit"], {"lane": lane, "kind": kind})
            return next((learned for (learned,) in found), None)

    def keep(self, lane: str, kind: str, learned: str | None) -> None:
        """See `KeptLimits.keep`."""
        if self._db.readonly("main"):
            return
        query = "forget_limit" if learned is None else "keep_limit"
        values = {"lane": lane, "kind": kind} | ({} if learned is None else {"learned": learned})
        with translated(self._path), suppress(*BUSY):
            self._db.execute(queries()[query], values)
