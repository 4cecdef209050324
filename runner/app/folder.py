"""The state folder of a command, which may have none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import StateFolderError
from runner.settings import JOURNAL_FILE, NO_STATE_DIR

if TYPE_CHECKING:
    from pathlib import Path


def journal_path(state_dir: Path) -> Path:
    """Where the journal of all runs is.

    Raises:
        StateFolderError: there is no folder.
    """
    if state_dir == NO_STATE_DIR:
        raise StateFolderError(
            "there is no folder for journals and reports: neither HOME nor the list of users tells of this user's home",
            hint="name a folder with --state-dir or RUNNER_STATE_DIR, or set HOME to a whole path",
        )
    return state_dir / JOURNAL_FILE
