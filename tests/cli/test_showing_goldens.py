"""Every view of every run that an earlier program wrote: none fails, and none contradicts the report."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from runner.cli.listing import WIDTH
from tests.cli.conftest import ROOT, Program
from tests.cli.rollouts import given

GOLDENS = ROOT / "tests" / "goldens"
JOURNALS = sorted(path.parent.name for path in GOLDENS.glob("*/journal.db.gz"))
ABNORMAL = ("failed", "timed_out", "unknown")


@pytest.fixture(params=JOURNALS)
def golden(request: pytest.FixtureRequest, program: Program) -> Program:
    program.state.mkdir()
    packed: Path = GOLDENS / str(request.param) / "journal.db.gz"
    (program.state / "journal.db").write_bytes(gzip.decompress(packed.read_bytes()))
    return program


def test_each_view_agrees_with_the_report(golden: Program) -> None:
    runs = json.loads(given(golden, "list", "--format", "json"))
    assert runs
    for row in runs:
        report = json.loads(given(golden, "report", row["id"], "--report", "-"))
        agree(golden, row, report)
    assert max(map(len, given(golden, "list").splitlines())) <= WIDTH


def agree(golden: Program, row: dict[str, Any], report: dict[str, Any]) -> None:
    def shown(*options: str) -> str:
        return given(golden, "show", row["id"], *options)

    by_group = json.loads(shown("--by", "group", "--format", "json"))
    counts = report["counts"]
    assert sum(one["servers"] for one in by_group) == counts["servers"]
    assert sum(one["succeeded"] for one in by_group) == counts["succeeded"]
    failed = json.loads(shown("--failed", "--format", "json"))
    at_work = report["at_work"]
    assert len(failed) == sum(counts[name] for name in ABNORMAL) - at_work
    assert all(one["why"] for one in failed)
    assert shown("--failed", "--format", "ids").split() == list(dict.fromkeys(one["id"] for one in failed))
    (whole,) = json.loads(shown("--format", "json"))
    assert (whole["servers"], whole["exit_code"]) == (counts, report["run"]["exit_code"])
    assert row["exit_code"] == report["run"]["exit_code"]
    assert "  run started: campaign " in shown("--log").splitlines()[0]
    servers = sorted({task["server_id"] for job in report["jobs"] for task in job["tasks"]})
    for server in servers[:3]:
        history = list(csv.DictReader(io.StringIO(shown("--server", server, "--format", "csv"))))
        assert row["id"] in {one["run"] for one in history}
