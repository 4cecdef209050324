"""What `list`, `show` and the report say of one run, however its process ended: always the same."""

from __future__ import annotations

import json
import signal
from typing import Any

import apsw
import pytest

from tests.cli.conftest import BEHAVIOUR, JOBSPEC, Program
from tests.cli.processes import ended
from tests.cli.rollouts import given, operated
from tests.cli.serving import StartSimulator
from tests.waiting import eventually

UNANSWERED = BEHAVIOUR + "faults: {script: {1: {kind: hang, executed: true}}}\n"


def agreed(program: Program) -> dict[str, Any]:
    """What all three say."""
    (row,) = json.loads(program("list", "--format", "json").stdout)
    (shown,) = json.loads(program("show", "last", "--format", "json").stdout)
    report = json.loads(program("report", "last", "--report", "-").stdout)
    assert row.keys() - shown.keys() == {"progress", "waits"}
    assert {name: row[name] for name in row.keys() & shown.keys()} == {
        name: shown[name] for name in row.keys() & shown.keys()
    }
    assert row["exit_code"] == report["run"]["exit_code"]
    assert row["state"] == report["run"]["state"]
    assert row["counts"] in (None, report["counts"])
    text = program("show", "last").stdout
    assert f"of {row['campaign']}: {row['state']}" in text
    assert program("list", "--state", row["state"]).stdout.count(row["id"]) == 1
    return dict(row)


@pytest.mark.process
def test_a_run_that_was_killed_is_interrupted_and_nobody_counts(program: Program, simulator: StartSimulator) -> None:
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator(lasting=True)) as run:
        run.until("run started")
        assert agreed(program)["state"] == "running"
        run.killed()
    assert (agreed(program)["state"], agreed(program)["counts"]) == ("interrupted", None)


@pytest.mark.process
def test_a_run_that_two_signals_ended_is_interrupted_and_its_counts_come_with_the_resume(
    program: Program, simulator: StartSimulator
) -> None:
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator(UNANSWERED)) as run:
        run.until("run started")
        eventually(lambda: json.loads(program("report", "last", "--report", "-").stdout)["requests"]["in_doubt"])
        run.process.send_signal(signal.SIGINT)
        run.until("stopping")
        run.process.send_signal(signal.SIGINT)
        code, _, err = ended(run.process)
        assert (code, "ended at once" in err) == (5, True)
    assert (agreed(program)["state"], agreed(program)["counts"]) == ("interrupted", None)
    given(program, "resume", "last")
    assert (agreed(program)["state"], agreed(program)["counts"]["succeeded"]) == ("finished", 8)


@pytest.mark.process
def test_a_run_that_was_stopped_and_goes_on_is_counted_anew(program: Program, simulator: StartSimulator) -> None:
    program.servers(30)
    program.jobspec.write_text(JOBSPEC.replace("rate: unlimited, settle", "rate: 4/s, burst: 1, settle"))
    with operated(program, "run", str(program.jobspec), "--endpoint", simulator(lasting=True)) as run:
        run.until("run started")
        run.process.send_signal(signal.SIGINT)
        assert run.ends(5)["run"]["state"] == "stopped"
    stopped = agreed(program)
    assert (stopped["state"], stopped["counts"]["not_started"] > 0) == ("stopped", True)
    with operated(program, "resume", "last") as run:
        run.until("run resumed")
        assert (agreed(program)["state"], agreed(program)["counts"]) == ("running", None)
        simulator.let_tasks_end()
        run.ends(0)
    assert (agreed(program)["state"], agreed(program)["counts"]["succeeded"]) == ("finished", 30)


def test_a_run_whose_process_died_before_it_could_note_its_end_has_ended(
    program: Program, simulator: StartSimulator
) -> None:
    """And the cron line finds its slot done."""
    command = ("run", str(program.jobspec), "--endpoint", simulator(), "--once-key", "once")
    given(program, *command)
    db = apsw.Connection(str(program.state / "journal.db"))
    db.execute("UPDATE run SET state = NULL, counts = NULL, owner_host = 'gone', owner_pid = 1, owner_token = 't'")
    db.close()
    assert (agreed(program)["state"], agreed(program)["counts"]) == ("finished", None)
    given(program, *command, says="already did once: finished")
