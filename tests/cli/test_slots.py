"""Commands that cron starts: once a slot, not too late, and over in time. Real files, real HTTP."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import JOBSPEC, SIMULATED, Program
from tests.cli.inside import ClockSetTo
from tests.cli.processes import ended, killed_after, read_lines
from tests.cli.serving import StartSimulator
from tests.cli.test_crashes import MANNERS, check_everything_once
from tests.cli.test_runs import SLOW, report_of

KEY = ("--once-key", "nightly-{{ run.date }}")
LONG_AGO = "2026-01-01T00:00:00Z"


def runs(program: Program) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(program("list", "--format", "json").stdout)
    return rows


def test_a_slot_is_done_once(program: Program, simulator: StartSimulator) -> None:
    command = ("run", program.jobspec, "--endpoint", simulator(), *KEY)
    assert program(*command).returncode == 0
    (run,) = runs(program)
    again = program(*command)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    said = f"run {run['id']} already did nightly-{today}: finished, 8 of 8 servers succeeded\n"
    assert (again.returncode, again.stdout) == (0, said), again.stderr
    assert runs(program) == [run]


def test_a_slot_that_ended_badly_is_done_all_the_same(program: Program, simulator: StartSimulator) -> None:
    url = simulator("throttle: {creates: null, reads: null}\ntasks: {duration_s: 0.3, failing_servers: [id-3]}\n")
    command = ("run", program.jobspec, "--endpoint", url, *KEY)
    assert program(*command).returncode == 3
    again = program(*command)
    assert (again.returncode, "finished, 7 of 8 servers succeeded" in again.stdout) == (0, True)


@pytest.mark.process
def test_of_processes_that_race_for_a_slot_one_makes_a_run(program: Program, simulator: StartSimulator) -> None:
    command = ("run", program.jobspec, "--endpoint", simulator(), *KEY)
    racers = [program.start(*command) for _ in range(4)]
    ends = [ended(racer) for racer in racers]
    assert [code for code, _, _ in ends] == [0, 0, 0, 0], ends
    assert len(runs(program)) == 1
    said = [out for _, out, _ in ends]
    assert sum("report: " in out for out in said) == 1
    assert sum("is doing nightly" in out or "already did nightly" in out for out in said) == 3, said


@pytest.mark.process
def test_after_kill_9_the_same_command_goes_on(program: Program, simulator: StartSimulator) -> None:
    program.servers(60)
    url = simulator(MANNERS, lasting=True)
    command = ("run", program.jobspec, "--endpoint", url, *KEY)
    for lines in (5, 3):
        killed_after(program.start(*command, "-v"), lines)
    (run,) = runs(program)
    assert run["state"] == "interrupted"
    simulator.let_tasks_end()
    result = program(*command)
    assert result.returncode == 0, result.stdout + result.stderr
    assert [row["id"] for row in runs(program)] == [run["id"]]
    check_everything_once(program, url, 30)
    assert "already did" in program(*command).stdout


@pytest.mark.process
def test_a_stopped_run_goes_on_and_beside_it_nothing_is_done(program: Program, simulator: StartSimulator) -> None:
    program.servers(60)
    command = ("run", program.jobspec, "--endpoint", simulator(lasting=True), *KEY)
    first = program.start(*command)
    read_lines(first)
    beside = program(*command)
    assert (beside.returncode, "is doing nightly-" in beside.stdout) == (0, True), beside.stderr
    first.send_signal(signal.SIGTERM)
    assert ended(first)[0] == 5
    other_plan = program(*command, "--require-hash", "sha256:other")
    assert (other_plan.returncode, "and sha256:other is required" in other_plan.stderr) == (6, True)
    simulator.let_tasks_end()
    assert program(*command).returncode == 0
    assert len(runs(program)) == 1
    assert report_of(program)["counts"]["succeeded"] == 60


def test_the_key_sees_variables_and_the_environment_and_a_plan_has_its_own(program: Program) -> None:
    program.env["RING"] = "r1"
    program.jobspec.write_text(JOBSPEC + 'vars: {version: "1", tag: "v{{ version }}"}\n')
    key = ("--once-key", "{{ env.RING }}-{{ tag }}")
    assert program("run", program.jobspec, *SIMULATED, "-e", "version=2", *key).returncode == 0
    assert program("plan", program.jobspec, "--region", "r", "-e", "version=2", "-o", "plan.json").returncode == 0
    again = program("run", "plan.json", *SIMULATED, *key)
    assert (again.returncode, "already did (simulated) r1-v2: finished" in again.stdout) == (0, True), again.stderr
    assert program("run", program.jobspec, *SIMULATED, *key).returncode == 0
    assert len(runs(program)) == 2


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("nightly-{{ run.dat }}", "--once-key: template: `run` has no 'dat'\n  did you mean `date`?"),
        ("nightly-{{ date }}", "--once-key: template: 'date' is undefined"),
        ("nightly-{{ run.date", "--once-key: template: unexpected end of template"),
        (
            "{{ run.slot }}",
            "--once-key: run.slot is the day on which --not-after closes the slot, and that is not given",
        ),
        ("{{ '' }}", "--once-key: renders to '', expected 1 to 200 printable characters"),
        ("x{{ secret.TOKEN }}", "--once-key: a key is kept and shown, so it must not have a secret in it"),
    ],
)
def test_a_wrong_key(program: Program, key: str, says: str) -> None:
    result = program("run", program.jobspec, "--simulate", "--once-key", key)
    assert (result.returncode, says in result.stderr) == (2, True), result.stderr
    assert not runs(program)


@pytest.mark.process
def test_a_simulated_run_has_its_slot_too_but_cannot_go_on(program: Program) -> None:
    (program.folder / "lasting.yaml").write_text("tasks: {duration_s: 600}\n")
    command = ("run", program.jobspec, "--behaviour", "lasting.yaml", *KEY)
    killed_after(program.start(*command), 1)
    refused = program(*command)
    assert (refused.returncode, "whose simulator ended with it" in refused.stderr) == (6, True)
    other = ("run", program.jobspec, *SIMULATED, "--once-key", "another")
    assert program(*other).returncode == 0
    assert "already did (simulated) another: finished" in program(*other).stdout


def test_a_rehearsal_takes_no_slot_away(program: Program, simulator: StartSimulator) -> None:
    assert program("run", program.jobspec, *SIMULATED, *KEY).returncode == 0
    real = program("run", program.jobspec, "--endpoint", simulator(), *KEY)
    assert (real.returncode, "8 succeeded" in real.stdout) == (0, True), real.stderr
    assert len(runs(program)) == 2


def test_a_key_of_another_campaign_is_refused(program: Program, simulator: StartSimulator) -> None:
    url = simulator()
    assert program("run", program.jobspec, "--endpoint", url, *KEY).returncode == 0
    program.jobspec.write_text(JOBSPEC.replace("name: test", "name: other"))
    refused = program("run", program.jobspec, "--endpoint", url, *KEY)
    assert (refused.returncode, "of test, and this is other" in refused.stderr) == (6, True)


def test_a_dry_run_takes_no_slot(program: Program) -> None:
    assert "campaign   test" in program("run", program.jobspec, "--region", "r", "--dry-run", *KEY).stdout
    assert not program.state.exists()


def at(program: Program, hour: int, minute: int = 0) -> None:
    """It is so late now, in UTC."""
    program.clock = ClockSetTo(datetime(2026, 5, 4, hour, minute, tzinfo=UTC))


def test_a_missed_slot_is_skipped_done_late_or_reported(program: Program) -> None:
    program.env["TZ"] = "UTC"
    at(program, 4)
    command = ("run", program.jobspec, *SIMULATED, *KEY, "--not-after")
    for latest in (LONG_AGO, "03:58", "16:00"):
        skipped = program(*command, latest)
        missed = "missed (simulated) nightly-2026-05-04: it is 04:00:"
        assert (skipped.returncode, missed in skipped.stdout) == (0, True), skipped.stdout + skipped.stderr
        assert "is the latest start; nothing is sent" in skipped.stdout
        failed = program(*command, latest, "--catch-up", "fail")
        assert (failed.returncode, "do it late with --catch-up run" in failed.stderr) == (6, True)
    assert not runs(program)
    late = program(*command, LONG_AGO, "--catch-up", "run")
    assert (late.returncode, "warning: it is" in late.stderr) == (0, True), late.stderr
    assert "already did" in program(*command, LONG_AGO).stdout
    in_time = program("run", program.jobspec, *SIMULATED, "--not-after", "04:05")
    assert in_time.returncode == 0
    assert len(runs(program)) == 2


def test_a_late_try_is_for_the_slot_that_was_missed(program: Program) -> None:
    program.env["TZ"] = "UTC"
    at(program, 0, 1)
    command = ("run", program.jobspec, *SIMULATED, "--once-key", "n-{{ run.slot }}", "--not-after", "23:59")
    assert "missed (simulated) n-2026-05-03: " in program(*command).stdout
    assert program(*command, "--catch-up", "run").returncode == 0
    assert "already did (simulated) n-2026-05-03: " in program(*command).stdout


def test_a_time_of_day_is_the_machines_own(program: Program) -> None:
    """With daylight saving, whose rules stand in TZ itself: no time zone data is needed."""
    program.env["TZ"] = "XST-5XDT-6,J1/0,J365/23"
    at(program, 12)
    missed = program("run", program.jobspec, *SIMULATED, "--not-after", "17:58")
    assert (missed.returncode, "missed: it is 18:00:" in missed.stdout) == (0, True), missed.stderr
    assert "every server succeeded" in program("run", program.jobspec, *SIMULATED, "--not-after", "18:05").stdout


@pytest.mark.process
def test_whether_a_crashed_slot_goes_on_late_is_a_matter_of_catching_up(
    program: Program, simulator: StartSimulator
) -> None:
    url = simulator(MANNERS, lasting=True)
    command = ("run", program.jobspec, "--endpoint", url, *KEY)
    killed_after(program.start(*command, "-v"), 2)
    simulator.let_tasks_end()
    late = (*command, "--not-after", LONG_AGO)
    skipped = program(*late)
    assert (skipped.returncode, "stays interrupted" in skipped.stdout) == (0, True), skipped.stderr
    failed = program(*late, "--catch-up", "fail")
    assert (failed.returncode, "runner resume " in failed.stderr) == (6, True)
    assert program(*late, "--catch-up", "run").returncode == 0
    check_everything_once(program, url, 4)


@pytest.mark.process
@pytest.mark.parametrize("limit", ["--not-after", "--deadline"])
def test_a_slot_does_not_wait_for_servers_until_it_is_too_late(
    program: Program, simulator: StartSimulator, limit: str
) -> None:
    url = simulator(lasting=True)
    first = program.start("run", program.jobspec, "--endpoint", url)
    read_lines(first)
    latest = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    waited = ("run", program.jobspec, "--endpoint", url, *KEY, "--wait-for-lock", "10m", limit, latest)
    refused = program(*waited)
    assert (refused.returncode, "is at work on id-0" in refused.stderr) == (6, True), refused.stderr
    first.kill()
    first.communicate()
    assert [run["state"] for run in runs(program)] == ["interrupted"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--not-after", "25:00"), "'25:00': expected a time such as 05:00"),
        (("--not-after", "2026-11-25T05:00:00"), "a date and time with offset"),
        (("--catch-up", "run"), "--catch-up says what to do after --not-after"),
        (("--deadline", "later"), "'later': expected a duration such as"),
        (("--deadline", "99999999d"), "'99999999d': expected a duration such as"),
    ],
)
def test_wrong_times(program: Program, options: tuple[str, ...], says: str) -> None:
    result = program("run", program.jobspec, "--simulate", *options)
    assert (result.returncode, says in result.stderr.replace("\n", " ")) == (2, True), result.stderr


def test_at_the_deadline_nothing_more_is_sent_and_what_is_at_work_is_watched(
    program: Program, simulator: StartSimulator
) -> None:
    program.servers(400)  # 200 requests, four at once, each of a tenth of a second: 5 s
    url = simulator(SLOW)
    command = ("run", program.jobspec, "--endpoint", url, *KEY, "--deadline", "3s")
    first = program(*command)
    assert first.returncode == 5, first.stdout + first.stderr
    report = report_of(program)
    counts, requests = report["counts"], report["requests"]
    assert 0 < counts["succeeded"] == 2 * requests["accepted"] < 400
    assert counts["succeeded"] + counts["not_started"] == 400
    assert report["run"]["state"] == "stopped"
    reason = f"reached: {200 - requests['accepted']} of 200 requests were not sent"
    assert report["run"]["reason"].startswith("deadline 3s (")
    assert report["run"]["reason"].endswith(reason)
    assert reason in first.stdout
    assert "runner resume" in first.stdout
    assert "nothing new is sent" in first.stderr
    assert "no run holds any server" in program("locks").stdout
    only_watched = program("resume", "last", "--deadline", LONG_AGO)
    assert only_watched.returncode == 5
    assert report_of(program)["requests"]["accepted"] == requests["accepted"]
    program.jobspec.unlink()  # nothing of it is needed to go on
    assert program("resume", "last").returncode == 0
    check_everything_once(program, url, 200)


def test_a_deadline_that_is_over_starts_nothing(program: Program) -> None:
    refused = program("run", program.jobspec, "--simulate", "--deadline", LONG_AGO)
    assert (refused.returncode, "is over: nothing would be sent" in refused.stderr) == (6, True)
    assert not runs(program)


def test_a_run_that_is_done_before_its_deadline_is_finished(program: Program) -> None:
    assert program("run", program.jobspec, *SIMULATED, "--deadline", "1h").returncode == 0
    assert Path(program.state / "reports").exists()
