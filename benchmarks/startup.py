"""How long the program takes to say what it can do, and to plan for nine servers, beside importing pydantic."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.tools import header, measured, median, row, runner

RUNS = 15
SMALL = """\
api_version: runner/v1
name: small
lane: {region: cn-north-9, project_id: p}
groups: [{name: all, servers: ["a-[1-9]"]}]
steps: [{name: upgrade, type: HDK, job_name: x, items: [{type: HDK, spec: {version: "24.1"}}]}]
"""


def main() -> None:
    """Print medians of interleaved runs, milliseconds, and their ratios to importing pydantic."""
    with tempfile.TemporaryDirectory() as name:
        jobspec = Path(name, "job.yaml")
        jobspec.write_text(SMALL)
        commands = {
            "python -c 'from pydantic import BaseModel'": [sys.executable, "-c", "from pydantic import BaseModel"],
            "python -c pass": [sys.executable, "-c", "pass"],
            "runner --help": runner("--help"),
            "runner run --help": runner("run", "--help"),
            "runner plan --help": runner("plan", "--help"),
            "runner plan, of nine servers": runner("plan", jobspec),
        }
        rounds = [{called: measured(command) for called, command in commands.items()} for _ in range(RUNS)]
    header("command", f"CPU ms, median of {RUNS}", "of importing pydantic", "wall ms", "of importing pydantic")
    first = next(iter(commands))
    for called in commands:
        cpu, wall = (median([one[called][at] for one in rounds]) for at in (1, 0))
        of_cpu, of_wall = (median([one[first][at] for one in rounds]) for at in (1, 0))
        row(called, cpu * 1000, cpu / of_cpu, wall * 1000, wall / of_wall)


if __name__ == "__main__":
    main()
