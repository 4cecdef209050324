"""What a command imports: cron and completion start the program often, and most of what it may need takes long to load."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NETWORK = {"aiohttp", "ssl", "uvloop"}
RUNS = {"asyncio", "apsw", "logging", "structlog", "rich", "runner.run.events", "runner.engine.run", "subprocess"}
FILES = {"pydantic", "jinja2", "ruamel.yaml", "orjson", "runner.plan.plan", "runner.spec.campaign"}
READS = {"runner.run.evolve", "runner.report.fold", "runner.plan.codec"}
JOBSPEC = """\
api_version: runner/v1
name: small
lane: {region: cn-north-9, project_id: p}
groups: [{name: all, servers: ["a-[1-9]"]}]
steps: [{name: upgrade, type: HDK, job_name: x, items: [{type: HDK, spec: {version: "24.1"}}]}]
"""
ROLLOUT = "rollout: {order: shuffled}\n"


def imported(folder: Path, *arguments: str) -> set[str]:
    command = [sys.executable, "-X", "importtime", "-m", "runner", *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True, timeout=60)
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


@pytest.mark.process
@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        ("--help", NETWORK | RUNS | FILES),
        ("run --help", NETWORK | RUNS | FILES),
        ("resume --help", NETWORK | RUNS | FILES),
        ("retry --help", NETWORK | RUNS | FILES),
        ("plan --help", NETWORK | RUNS | FILES),
        ("validate --help", NETWORK | RUNS | FILES),
        ("plan job.yaml", NETWORK | RUNS | {"runner.app.forecasting"}),
        ("plan rollout.yaml", NETWORK | RUNS),
        ("plan job.yaml -o plan.json", NETWORK | RUNS),
        ("run job.yaml --dry-run", NETWORK - {"ssl"}),
        ("list --state-dir .", NETWORK - {"ssl"} | FILES - {"orjson", "runner.plan.plan"} | READS | {"rich"}),
    ],
)
def test_a_command_imports_only_what_it_uses(tmp_path: Path, arguments: str, unwanted: set[str]) -> None:
    (tmp_path / "job.yaml").write_text(JOBSPEC)
    (tmp_path / "rollout.yaml").write_text(JOBSPEC + ROLLOUT)
    found = imported(tmp_path, *arguments.split())
    assert "runner.cli.main" in found
    assert found & unwanted == set()
