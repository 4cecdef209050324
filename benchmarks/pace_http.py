"""The rate of creates over HTTP, against the simulator with limits that it names or does not; and how long reads take."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import uuid
from pathlib import Path
from typing import NamedTuple

from benchmarks.tools import header, row, runner, timed

JOBSPEC = """\
api_version: runner/v1
name: pace
inventory: fleet.ndjson
lane: {{endpoint: "http://127.0.0.1:9", project_id: p}}
groups: [{{name: all, select: "true"}}]
steps:
  - name: upgrade
    type: T
    job_name: "t-{{{{ group.name }}}}"
    servers_per_job: 1
    items: [{{type: T}}]
submit: {{rate: {rate}/s, burst: 10, concurrency: 32}}
watch: {{rate: {reads}/s}}
"""


class Limit(NamedTuple):
    """What the simulator is told, how many creates are made, and how many a second it allows."""

    name: str
    throttle: dict[str, object]
    creates: int
    allowed: float
    asked: int = 100


_NONE: dict[str, object] = {"creates": None, "reads": None}
LIMITS = (
    Limit("10/s, silent", {**_NONE, "creates": 10, "create_period_s": 1, "kind": "sliding", "says_limit": False}, 300, 10),
    Limit("30/s, silent", {**_NONE, "creates": 30, "create_period_s": 1, "kind": "sliding", "says_limit": False}, 900, 30),
    Limit("20/s, bucket", {**_NONE, "creates": 20, "create_period_s": 1, "kind": "bucket", "says_limit": False}, 600, 20),
    Limit("10/s, named", {**_NONE, "creates": 10, "create_period_s": 1, "kind": "sliding"}, 300, 10),
    Limit("none, chance of 5 %", {**_NONE, "chance": 0.05}, 600, 19, 20),
    Limit(
        "5/s, then 40/s after 10 s, silent",
        {
            **_NONE,
            "creates": 5,
            "create_period_s": 1,
            "says_limit": False,
            "changes": [{"after_s": 10, "creates": 40, "reads": None}],
        },
        800,
        800 / (10 + 750 / 40),
    ),
)  # fmt: skip
READS = (
    Limit("20 reads/s, silent", {"creates": None, "reads": 20, "says_limit": False}, 300, 100),
    Limit("reads, chance of 5 %", {**_NONE, "chance": 0.05}, 300, 100),
)


def measured(folder: Path, limit: Limit, *, watched: bool) -> tuple[float, float, int]:
    """Creates a second from first to last, seconds of the whole command, throttled answers."""
    state = folder / "state"
    shutil.rmtree(state, ignore_errors=True)
    with (folder / "fleet.ndjson").open("w") as file:
        file.writelines(f'{{"id":"{uuid.uuid4()}","name":"s{number}"}}\n' for number in range(limit.creates))
    (folder / "job.yaml").write_text(JOBSPEC.format(rate=limit.asked, reads=20))
    behaviour = {
        "throttle": limit.throttle,
        "tasks": {"duration_s": 2.0},
        "listing": {"lag_s": 0.5, "paging": "ignored"},
    }
    (folder / "behaviour.yaml").write_text(json.dumps(behaviour))
    command = runner("run", folder / "job.yaml", "--simulate", "--behaviour", folder / "behaviour.yaml", "-q")
    took, _ = timed([*command, "--state-dir", str(state), *([] if watched else ["--no-wait"])])
    report = json.loads(next((state / "reports").iterdir()).read_text())
    return report["submission"]["creates_per_s"], took, report["throttling"]["throttled_answers"]


def main() -> None:
    """Print creates a second, and how many were refused."""
    with tempfile.TemporaryDirectory() as name:
        header("limit", "creates/s", "of what is allowed", "refused / accepted")
        for limit in LIMITS:
            rate, _, refused = measured(Path(name), limit, watched=False)
            row(limit.name, rate, rate / limit.allowed, f"{refused / limit.creates:.3f}")
            sys.stdout.flush()
        print()
        header("reads", "jobs", "seconds until all were read")
        for limit in READS:
            row(limit.name, limit.creates, measured(Path(name), limit, watched=True)[1])


if __name__ == "__main__":
    main()
