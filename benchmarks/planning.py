"""`runner plan` of a million servers beside a bare loop that parses the lines of the same file and chunks the ids.

`python -m benchmarks.planning [SERVERS] [RUNS]`. Runs are interleaved with those of the loop.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.fleets import CASES, Case, write_fleets
from benchmarks.tools import Measured, header, measured, median, row, runner

SERVERS = 1_000_000
RUNS = 3
BARE = """\
import sys, csv, orjson
if sys.argv[1].endswith(".csv"):
    rows = csv.reader(open(sys.argv[1], newline=""))
    next(rows)
    ids = [row[0] for row in rows]
else:
    ids = [orjson.loads(line)["id"] for line in open(sys.argv[1], "rb")]
chunks = [ids[i : i + 50] for i in range(0, len(ids), 50)]
print(len(chunks))
"""


def _measure(case: Case, folder: Path, runs: int) -> tuple[list[Measured], list[Measured]]:
    """The bare loop and the plan, in turn."""
    jobspec = case.write(folder)
    bare, plan = [], []
    for _ in range(runs):
        bare.append(measured([sys.executable, "-c", BARE, str(folder / case.inventory)]))
        plan.append(measured(runner("plan", jobspec, "--format", "json")))
    return bare, plan


def main(servers: int = SERVERS, runs: int = RUNS) -> None:
    """Print seconds, ratios and memory, and what ten selectors take of one."""
    by_case: dict[str, float] = {}
    header(
        f"{servers:,} servers", "CPU s, median", "of the loop", "at most", "wall s", "of the loop", "peak memory, MiB"
    )
    with tempfile.TemporaryDirectory() as name:
        write_fleets(Path(name), servers)
        for case in CASES:
            bare, plan = _measure(case, Path(name), runs)
            cpu, wall = median([one.cpu_s for one in plan]), median([one.wall_s for one in plan])
            row(
                case.called,
                cpu,
                cpu / median([one.cpu_s for one in bare]),
                case.most or "",
                wall,
                wall / median([one.wall_s for one in bare]),
                max(one.peak_mib for one in plan),
            )
            by_case[case.called] = cpu
    print(f"\nTen selectors take {by_case['ten selectors'] / by_case['one selector']:.2f} times the CPU time of one.")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
