"""How long the program takes to say what it can do."""

from __future__ import annotations

import sys

from benchmarks.tools import RUNS, header, median, row, runner, timed


def main() -> None:
    """Print medians, milliseconds."""
    header("command", "ms, median of 5")
    for name, command in (
        ("python -c pass", [sys.executable, "-c", "pass"]),
        ("runner --help", runner("--help")),
        ("runner run --help", runner("run", "--help")),
        ("runner plan --help", runner("plan", "--help")),
    ):
        row(name, median([timed(command)[0] for _ in range(RUNS)]) * 1000)


if __name__ == "__main__":
    main()
