"""What people asked of a run, in its state store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from runner.engine.ports import ReceivedCommand
from runner.journal.store import StateFolderBusy
from runner.run.commands import Command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.journal.store import CommandRow, RunStore
    from runner.run.facts import Facts


class StoredCommands:
    """The commands for a run, in its state store."""

    def __init__(self, store: RunStore, run_id: str) -> None:
        self._store = store
        self._run_id = run_id

    def read(self, after: int) -> Sequence[ReceivedCommand]:
        """The commands with a number above `after`, in order."""
        try:
            rows = self._store.read_commands(self._run_id, after)
        except StateFolderBusy:  # it is asked again in a moment
            return []
        return [_received(row) for row in rows]


def _received(row: CommandRow) -> ReceivedCommand:
    """A command as it was posted, perhaps by another version: what this one does not know is refused by the run."""
    body = orjson.loads(row.body)
    command = Command(str(body.get("action")), str(body.get("target", "")), body.get("settings") or {})
    return ReceivedCommand(row.id, row.who, row.why, command)


def pending_commands(store: RunStore, run_id: str, facts: Facts) -> Sequence[ReceivedCommand]:
    """What people asked of a run that it has not taken in yet."""
    return StoredCommands(store, run_id).read(facts.controls.last_command)
