"""Where things are kept."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_state_dir

JOURNAL_FILE = "journal.db"


def default_state_dir() -> Path:
    """The platform's folder for the state of the user's programs."""
    return Path(user_state_dir("lite-server-runner", appauthor=False))


def report_path(state_dir: Path, run_id: str) -> Path:
    """Where a run's report is written unless told otherwise."""
    return state_dir / "reports" / f"{run_id}.json"
