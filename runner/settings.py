"""Where things are kept."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_state_dir

JOURNAL_FILE = "journal.db"
NO_STATE_DIR = Path("~")
"""Stands for the state folder where none was named, and nobody knows of a home: commands that need none go on."""


def default_state_dir() -> Path | None:
    """The platform's folder for the state of the user's programs; None where nothing tells of a home folder."""
    try:
        folder = Path(user_state_dir("lite-server-runner", appauthor=False))
    except RuntimeError:  # of newer versions; older ones leave `~` as it is
        return None
    return folder if folder.is_absolute() else None


def report_path(state_dir: Path, run_id: str) -> Path:
    """Where a run's report is written unless told otherwise."""
    return state_dir / "reports" / f"{run_id}.json"
