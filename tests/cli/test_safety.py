"""Approval, leases and tampering, as users meet them."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from tests.cli.conftest import JOBSPEC, SIMULATED, Program
from tests.cli.inside import ClockSetTo
from tests.cli.processes import ended, killed_after, read_lines
from tests.cli.serving import StartSimulator
from tests.cli.test_runs import report_of


def planned(program: Program, name: str = "plan.json") -> str:
    assert program("plan", program.jobspec, "--region", "r-1", "-o", name).returncode == 0
    plan_hash: str = json.loads((program.folder / name).read_text())["plan_hash"]
    return plan_hash


def test_only_the_approved_plan_is_carried_out(program: Program) -> None:
    plan_hash = planned(program)
    refused = program("run", "plan.json", "--simulate", "--require-hash", "sha256:other")
    assert (refused.returncode, f"the plan is {plan_hash}, and sha256:other is required" in refused.stderr) == (6, True)
    assert program("run", "plan.json", *SIMULATED, "--require-hash", plan_hash).returncode == 0


def test_an_old_plan_is_refused(program: Program) -> None:
    program.clock = ClockSetTo(datetime(2026, 5, 4, 12, tzinfo=UTC))
    planned(program)
    program.clock = ClockSetTo(datetime(2026, 5, 5, 18, tzinfo=UTC))
    refused = program("run", "plan.json", *SIMULATED, "--max-plan-age", "1d")
    assert (refused.returncode, "the plan is 30.0 hours old, and 24.0 hours" in refused.stderr) == (6, True)
    assert program("run", "plan.json", *SIMULATED, "--max-plan-age", "31h").returncode == 0
    wrong = program("run", "plan.json", "--simulate", "--max-plan-age", "soon")
    assert (wrong.returncode, "expected a duration such as" in wrong.stderr) == (2, True)


def test_a_plan_whose_servers_have_vanished_is_refused(program: Program) -> None:
    planned(program)
    program.servers(6)
    refused = program("run", "plan.json", "--simulate", "-i", "fleet.csv")
    assert refused.returncode == 6
    assert "2 servers of the plan are no longer in fleet.csv: id-6, id-7" in refused.stderr


@pytest.mark.process
def test_a_run_waits_for_servers_that_another_one_holds(program: Program, simulator: StartSimulator) -> None:
    url = simulator(lasting=True)
    first = program.start("run", program.jobspec, "--endpoint", url)
    read_lines(first)
    (lock,) = json.loads(program("locks", "--format", "json").stdout)
    assert (lock["servers"], lock["state"], lock["until"]) == (8, "running", None)
    held = program("locks", "--release", "last")
    assert (held.returncode, "it needs its servers" in held.stderr) == (6, True)
    second = program.start("run", program.jobspec, "--endpoint", url, "--wait-for-lock", "1m")
    simulator.let_tasks_end()
    assert ended(first)[0] == 0
    assert ended(second)[0] == 0
    newest, oldest = json.loads(program("list", "--format", "json").stdout)
    assert (newest["counts"]["succeeded"], oldest["counts"]["succeeded"]) == (8, 8)
    assert "no run holds any server" in program("locks").stdout


@pytest.mark.process
def test_a_killed_run_keeps_its_servers_until_they_are_released(program: Program, simulator: StartSimulator) -> None:
    url = simulator(lasting=True)
    killed_after(program.start("run", program.jobspec, "--endpoint", url), 1)
    refused = program("run", program.jobspec, "--endpoint", url)
    assert (refused.returncode, "is at work on id-0, id-1, id-2 and 5 more" in refused.stderr) == (6, True)
    assert program("locks", "--release", "last").returncode == 0
    assert "no run holds any server" in program("locks").stdout


@pytest.mark.process
def test_a_stopped_run_keeps_only_the_servers_that_are_at_work(program: Program, simulator: StartSimulator) -> None:
    program.servers(60)
    program.jobspec.write_text(JOBSPEC.replace("rate: unlimited, settle", "rate: 1/s, burst: 3, settle"))
    process = program.start("run", program.jobspec, "--endpoint", simulator(lasting=True), "-v")
    read_lines(process, 3)
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 5
    (lock,) = json.loads(program("locks", "--format", "json").stdout)
    accepted = report_of(program)["requests"]["accepted"]
    assert 0 < lock["servers"] == 2 * accepted < 60


def test_what_was_not_tampered_with_is_in_order(program: Program) -> None:
    assert program("run", program.jobspec, *SIMULATED).returncode == 0
    (report,) = (program.state / "reports").iterdir()
    for what in ("last", report):
        result = program("verify", what)
        assert result.returncode == 0, result.stdout
        assert "entries fit together" in result.stdout


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entry SET events = replace(events, 'settled', 'lapsed') WHERE seq = (SELECT max(seq) FROM entry WHERE events LIKE '%settled%')",
        "UPDATE entry SET details = replace(details, 'FINISHED', 'DELETED') WHERE seq = (SELECT max(seq) FROM entry WHERE details LIKE '%FINISHED%')",
        "UPDATE entry SET tasks = substr(tasks, 1, length(tasks) - 1) WHERE seq = (SELECT max(seq) FROM entry WHERE tasks IS NOT NULL)",
        "UPDATE entry SET tasks = NULL WHERE seq = (SELECT max(seq) FROM entry WHERE tasks IS NOT NULL)",
        "DELETE FROM entry WHERE seq = 2",
        "UPDATE entry SET hash = 'x' WHERE seq = 2",
    ],
)
def test_a_changed_journal_shows_where(program: Program, change: str) -> None:
    assert program("run", program.jobspec, *SIMULATED).returncode == 0
    db = apsw.Connection(str(program.state / "journal.db"))
    db.execute(change)
    assert db.changes() == 1
    db.close()
    result = program("verify", "last")
    assert (result.returncode, "BROKEN: journal: the chain breaks at entry" in result.stdout) == (3, True)


def test_tasks_that_cannot_be_read_are_told_of_where_somebody_looks_at_them(program: Program) -> None:
    assert program("run", program.jobspec, *SIMULATED).returncode == 0
    (path,) = (program.state / "reports").iterdir()
    shown, written = program("show", "last"), path.read_bytes()
    db = apsw.Connection(str(program.state / "journal.db"))
    last = "(SELECT max(seq) FROM entry WHERE tasks IS NOT NULL)"
    db.execute(f"UPDATE entry SET tasks = substr(tasks, 1, length(tasks) - 1) WHERE seq = {last}")  # noqa: S608  ours
    db.close()
    assert program("show", "last").stdout == shown.stdout
    for arguments in (["report", "last"], ["report", "last", "-o", "-"], ["export", "last", "run.zip"]):
        result = program(*arguments)
        assert (result.returncode, result.stdout) == (6, "")
        assert "it is damaged" in result.stderr
    assert path.read_bytes() == written
    assert not (program.folder / "run.zip").exists()


def test_a_report_that_is_cut_off_is_none(program: Program) -> None:
    assert program("run", program.jobspec, *SIMULATED).returncode == 0
    (path,) = (program.state / "reports").iterdir()
    written = path.read_bytes()
    for cut in (written[:-2], written[: written.index(b'"jobs"') + 9], written[:100], b""):
        path.write_bytes(cut)
        result = program("verify", path)
        assert (result.returncode, "not a report" in result.stderr) == (2, True)
    path.write_bytes(written + b"\n")
    assert "report: what the journal gives" in program("verify", path).stdout


def test_a_changed_report_shows(program: Program) -> None:
    program.jobspec.write_text(JOBSPEC)
    (program.folder / "behaviour.yaml").write_text("tasks: {duration_s: 0.5, failing: 1.0}\n")
    assert program("run", program.jobspec, "--behaviour", "behaviour.yaml").returncode == 3
    (path,) = (program.state / "reports").iterdir()
    report = json.loads(path.read_text())
    report["counts"]["succeeded"], report["counts"]["failed"] = report["counts"]["failed"], 0
    forged = Path(program.folder / "forged.json")
    forged.write_text(json.dumps(report))
    result = program("verify", forged)
    assert (result.returncode, "BROKEN: report: not what the journal gives, in counts" in result.stdout) == (3, True)
    report["run"]["journal_head"] = "0" * 64
    forged.write_text(json.dumps(report))
    assert "its journal head is not in the journal's chain" in program("verify", forged).stdout


FAILING = "throttle: {creates: null, reads: null}\ntasks: {duration_s: 0.3, failing_servers: [id-3, id-6]}\n"


def test_a_retry_does_exactly_the_servers_that_failed(program: Program, simulator: StartSimulator) -> None:
    assert program("run", program.jobspec, "--endpoint", simulator(FAILING)).returncode == 3
    first = json.loads(program("list", "--format", "json").stdout)[0]["id"]
    shown = program("retry", first, "--dry-run")
    assert (shown.returncode, "2 of 2" in shown.stdout) == (0, True), shown.stdout + shown.stderr
    wrong = program("retry", first, "--only", "failt")
    assert (wrong.returncode, "expected some of failed" in wrong.stderr) == (2, True)
    none = program("retry", first, "--only", "skipped")
    assert (none.returncode, "is skipped" in none.stderr) == (2, True)
    # The plan goes to the endpoint of the run before, which is gone: a plan file is for another one.
    result = program("retry", first, "-o", "again.json")
    assert result.returncode == 0
    again = json.loads((program.folder / "again.json").read_text())
    assert again["parents"] == [first]
    assert sorted(server for group in again["groups"] for server in group["servers"]) == ["id-3", "id-6"]


def test_a_family_of_runs_folds_into_one_report(program: Program, simulator: StartSimulator) -> None:
    behaviour = "throttle: {creates: null, reads: null}\ntasks: {duration_s: 0.3, failing: 0.5}\nseed: 3\n"
    url = simulator(behaviour)
    assert program("run", program.jobspec, "--endpoint", url).returncode == 3
    first = json.loads(program("list", "--format", "json").stdout)[0]["id"]
    for _ in range(12):
        if program("retry", first).returncode == 2:  # no server is left that failed
            break
        assert program("locks").stdout.startswith("no run holds")
    family = json.loads(program("report", first, "--lineage").stdout)
    assert family["counts"]["servers"] == 8
    assert family["counts"]["succeeded"] == 8
    assert len(family["runs"]) > 1
    assert first in family["runs"][1]["parents"]


def test_a_difference_between_plans_and_runs_is_shown(program: Program) -> None:
    planned(program, "a.json")
    assert program("diff", "a.json", "a.json").stdout == "nothing differs\n"
    program.servers(9)
    program.jobspec.write_text(JOBSPEC.replace('version: "1.0"', 'version: "2.0"'))
    planned(program, "b.json")
    result = program("diff", "a.json", "b.json")
    assert result.returncode == 3
    assert "servers new: 1\n  id-8\n" in result.stdout
    assert "upgrade of all: items[0].spec.version: '1.0' -> '2.0'" in result.stdout
    (program.folder / "behaviour.yaml").write_text(FAILING)
    assert program("run", "b.json", "--behaviour", "behaviour.yaml").returncode == 3
    (found,) = json.loads(program("diff", "b.json", "last", "--format", "json").stdout)
    assert found["undone"] == [{"server_id": name, "outcome": "failed"} for name in ("id-3", "id-6")]
    assert found["new"] == found["gone"] == []
