"""What is noted of refused credentials, in the database of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.engine.refusals import KeptInProcess
from runner.journal.queries import queries
from runner.journal.troubles import BUSY, translated

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import apsw

# An event loop waits meanwhile: no longer than a commit takes.
_PATIENCE_MS = 100


class SqliteCredentials:
    """See `runner.engine.ports.KeptCredentials`. Where nothing can be written a process remembers for itself alone.

    `wait_s` is for how long others wait on this connection.
    """

    def __init__(self, db: apsw.Connection, path: Path, wait_s: float) -> None:
        self._db = db
        self._path = path
        self._wait_ms = int(wait_s * 1000)
        self._own = KeptInProcess() if db.readonly("main") else None

    @property
    def salt(self) -> bytes:
        """See `KeptCredentials.salt`."""
        with translated(self._path):
            ((salt,),) = self._db.execute(queries()["salt"])
        return bytes(salt)

    def change(self, credential: str, change: Callable[[str | None], str | None]) -> bool:
        """See `KeptCredentials.change`."""
        if self._own is not None:
            noted = self._noted(credential)
            return self._own.change(credential, lambda before: change(noted if before is None else before))
        with translated(self._path):
            self._db.set_busy_timeout(_PATIENCE_MS)
            try:
                with self._db:
                    self._change(credential, change)
            except BUSY:
                return False
            finally:
                self._db.set_busy_timeout(self._wait_ms)
        return True

    def _change(self, credential: str, change: Callable[[str | None], str | None]) -> None:
        before = self._noted(credential)
        after = change(before)
        if after is None and before is not None:
            self._db.execute(queries()["forget_refused_calls"], {"credential": credential})
        elif after is not None and after != before:
            self._db.execute(queries()["note_refused_calls"], {"credential": credential, "calls": after})

    def _noted(self, credential: str) -> str | None:
        found = self._db.execute(queries()["refused_calls"], {"credential": credential})
        return next((calls for (calls,) in found), None)
