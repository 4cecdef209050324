"""`runner plan` of a million servers beside a bare loop that parses the lines and chunks the ids."""

from __future__ import annotations

import resource
import sys
import tempfile
import uuid
from pathlib import Path

from benchmarks.tools import header, median, row, runner, timed

SERVERS = 1_000_000
RUNS = 3
JOBSPEC = """\
api_version: runner/v1
name: million
inventory: fleet.ndjson
lane: {region: cn-north-9, project_id: p}
groups:
  - {name: canary, select: labels.ring == "canary"}
  - {name: training, select: labels.role == "training", split_by: labels.flavor}
steps:
  - name: upgrade
    type: HDK_UPGRADE
    job_name: "hdk-{{ group.name }}"
    servers_per_job: 50
    items: [{type: HDK_UPGRADE, spec: {version: "24.1"}}]
"""
BARE = """\
import sys, orjson
ids = [orjson.loads(line)["id"] for line in open(sys.argv[1], "rb")]
chunks = [ids[i : i + 50] for i in range(0, len(ids), 50)]
print(len(chunks))
"""


def _write_fleet(path: Path) -> None:
    with path.open("w") as file:
        for number in range(SERVERS):
            server_id = uuid.UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128, version=4)
            ring = "canary" if number < SERVERS // 100 else "main"
            labels = f'"ring":"{ring}","role":"training","flavor":"snt9{"bc"[number % 2]}","rack":"r{number % 500}"'
            file.write(f'{{"id":"{server_id}","name":"node-{number:07}",{labels}}}\n')


def main() -> None:
    """Print seconds, ratio and memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fleet = folder / "fleet.ndjson"
        _write_fleet(fleet)
        (folder / "job.yaml").write_text(JOBSPEC)
        bare = median([timed([sys.executable, "-c", BARE, str(fleet)])[0] for _ in range(RUNS)])
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        plan = median([timed(runner("plan", folder / "job.yaml", "--format", "json"))[0] for _ in range(RUNS)])
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    header("what", "seconds, median of 3", "ratio", "peak memory, MiB")
    row("bare loop", bare, 1.0, before // 1024)
    row("runner plan", plan, plan / bare, peak // 1024)


if __name__ == "__main__":
    main()
