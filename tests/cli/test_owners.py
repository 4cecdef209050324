"""Runs that change hands, and state folders that others use: real processes, frozen, in namespaces, without permission."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import apsw
import pytest

from runner.journal.ownership import HEARTBEAT_S, TAKEOVER_S
from tests.cli.conftest import JOBSPEC, Program
from tests.cli.processes import ended, freeze_between_commits, works
from tests.cli.screens import shown
from tests.cli.serving import StartSimulator
from tests.cli.test_crashes import MANNERS, check_everything_once, made_by
from tests.waiting import eventually

pytestmark = pytest.mark.process

IN_A_NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
WITHOUT_POWERS = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")
# So slow that some requests always wait for their turn, and are intended already.
PACED = JOBSPEC.replace("submit: {rate: unlimited", "submit: {rate: 4/s, burst: 1")


def outcome(process: subprocess.Popen[str]) -> tuple[int, str]:
    code, out, err = ended(process)
    assert "Traceback" not in err, err
    return code, out + err


def let_in(result: tuple[int, str], refusal: str) -> tuple[int, str] | None:
    """What a command came to, unless it was refused for this reason: then it may be given again."""
    if result[0] != 6:
        return result
    assert refusal in result[1]
    return None


def until(lines: IO[str] | None, text: str) -> list[str]:
    """Read until a line says so; what came before it."""
    assert lines is not None
    before: list[str] = []
    while text not in (line := lines.readline()):
        assert line, f"it ended without {text!r}: {before}"
        before.append(line)
    return before


def answer(result: subprocess.CompletedProcess[str]) -> tuple[int, str]:
    return result.returncode, result.stdout + result.stderr


def jobs_at(url: str) -> Counter[str]:
    return Counter(asyncio.run(made_by(url)))


def test_a_frozen_process_whose_servers_were_released_sends_nothing_more(
    program: Program, simulator: StartSimulator
) -> None:
    program.servers(40)
    program.jobspec.write_text(PACED)
    url = simulator(MANNERS)
    frozen = program.start("run", program.jobspec, "--endpoint", url, "-v")
    for _ in range(3):
        until(frozen.stderr, "job accepted")
    held = program("locks", "--release", "last")
    assert (held.returncode, "it needs its servers" in held.stderr) == (6, True)
    freeze_between_commits(frozen, program.state)
    (first,) = json.loads(program("list", "--format", "json").stdout)
    release = ("locks", "--release", first["id"])
    code, said = eventually(lambda: let_in(answer(program(*release)), "it needs its servers"), 3 * TAKEOVER_S)
    assert code == 0, said
    assert "which gives no sign of life: looking on" in said
    second = program("run", program.jobspec, "--endpoint", url)
    assert second.returncode == 0, second.stderr
    before = jobs_at(url)
    frozen.send_signal(signal.SIGCONT)
    code, said = outcome(frozen)
    assert (code, "or released its servers; this one stopped writing" in said) == (5, True), said
    assert jobs_at(url) == before
    assert f"runner resume {first['id']}" in said
    assert program("resume", first["id"]).returncode == 0
    assert program("verify", first["id"]).returncode == 0


@pytest.mark.skipif(not works(*IN_A_NAMESPACE), reason="no pid namespaces here")
def test_a_living_process_of_another_container_is_not_taken_for_dead(
    program: Program, simulator: StartSimulator
) -> None:
    program.servers(24)
    program.jobspec.write_text(PACED)
    url = simulator(MANNERS, lasting=True)
    first = program.start("run", program.jobspec, "--endpoint", url, "-v", within=IN_A_NAMESPACE)
    until(first.stderr, "job accepted")
    again = ("run", str(program.jobspec), "--endpoint", url)
    for arguments in (("resume", "last"), ("locks", "--release", "last"), again):
        code, said = outcome(program.start(*arguments, within=IN_A_NAMESPACE))
        assert code == 6, said
        assert "is being carried out by" in said or "it needs its servers" in said or "is at work on" in said
    assert json.loads(program("list", "--format", "json").stdout)[0]["state"] == "running"
    simulator.let_tasks_end()
    assert outcome(first)[0] == 0
    check_everything_once(program, url, 12)


@pytest.mark.skipif(not works(*IN_A_NAMESPACE), reason="no pid namespaces here")
def test_a_process_that_died_in_another_container_is_replaced_after_it_was_silent(
    program: Program, simulator: StartSimulator
) -> None:
    program.servers(24)
    program.jobspec.write_text(PACED)
    url = simulator(MANNERS)
    # The container itself goes on: the number of a pid namespace is not used again as long as it is there.
    container = (*IN_A_NAMESPACE, "sh", "-c", '"$@"; exec sleep 1000', "sh")
    first = program.start("run", program.jobspec, "--endpoint", url, "-v", within=container)
    until(first.stderr, "job accepted")
    (shell,) = children(first.pid)
    (run,) = children(shell)
    os.kill(run, signal.SIGKILL)
    began = time.monotonic()
    code, said = eventually(
        lambda: let_in(
            outcome(program.start("resume", "last", within=IN_A_NAMESPACE)), "is being carried out by process"
        ),
        3 * TAKEOVER_S,
    )
    assert code == 0, said
    assert time.monotonic() - began > TAKEOVER_S - HEARTBEAT_S
    check_everything_once(program, url, 12)
    first.kill()
    first.communicate()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def under_way(program: Program, simulator: StartSimulator) -> tuple[subprocess.Popen[str], str]:
    """A run of twenty requests that has sent its first, and where it sends them."""
    program.servers(40)
    program.jobspec.write_text(PACED)
    url = simulator(MANNERS)
    process = program.start("run", program.jobspec, "--endpoint", url, "-v")
    until(process.stderr, "job accepted")
    return process, url


@contextmanager
def held(program: Program) -> Iterator[None]:
    """As a backup does that takes its time."""
    other = apsw.Connection(str(program.state / "journal.db"))
    other.set_busy_timeout(10_000)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


def test_a_database_that_somebody_holds_for_long_pauses_a_run_and_does_not_end_it(
    program: Program, simulator: StartSimulator
) -> None:
    process, url = under_way(program, simulator)
    with held(program):
        until(process.stderr, "is locked by another process: nothing new is sent until it is free")
        made = jobs_at(url)
        news = until(process.stderr, '"progress"')
        assert not any("job accepted" in line for line in news)
        assert jobs_at(url) == made
        assert [row["state"] for row in json.loads(program("list", "--format", "json").stdout)] == ["running"]
        refused = program("locks", "--release", "last")
        assert (refused.returncode, "is locked by another process" in refused.stderr) == (6, True)
        assert "make room" not in refused.stderr
    until(process.stderr, "is free again")
    code, said = outcome(process)
    assert code == 0, said
    check_everything_once(program, url, 20)


def test_a_terminal_shows_that_somebody_holds_the_database(program: Program, simulator: StartSimulator) -> None:
    program.servers(16)
    program.jobspec.write_text(PACED.replace("4/s", "1/s"))
    with shown(program, "run", program.jobspec, "--endpoint", simulator(), columns=120) as screen:
        screen.until("of 8 requests taken")
        with held(program):
            screen.until("the state folder is locked by another process: nothing new is sent until it is free")
        screen.until("the state folder is free again")
        screen.ends(0)


def test_two_signals_end_a_run_at_once_though_somebody_holds_the_database(
    program: Program, simulator: StartSimulator
) -> None:
    process, url = under_way(program, simulator)
    with held(program):
        until(process.stderr, "is locked by another process: nothing new is sent until it is free")
        process.send_signal(signal.SIGINT)
        until(process.stderr, '"stopping"')
        process.send_signal(signal.SIGINT)
        code, said = outcome(process)
    assert (code, "runner resume" in said) == (5, True), said
    assert program("resume", "last").returncode == 0
    check_everything_once(program, url, 20)


def test_a_state_folder_that_is_moved_away_stops_the_run_and_it_goes_on_when_it_is_back(
    program: Program, simulator: StartSimulator
) -> None:
    process, url = under_way(program, simulator)
    away = program.state.with_name("away")
    program.state.rename(away)
    code, said = outcome(process)
    assert (code, "was deleted, moved or replaced while it was in use" in said) == (6, True), said
    assert not program.state.exists()
    made = jobs_at(url)
    away.rename(program.state)
    assert jobs_at(url) == made
    result = program("resume", "last")
    assert result.returncode == 0, result.stdout + result.stderr
    check_everything_once(program, url, 20)


@pytest.mark.skipif(os.geteuid() == 0 and not works(*WITHOUT_POWERS), reason="root may write everywhere")
def test_a_folder_that_can_only_be_read_is_listed_shown_and_reported(program: Program) -> None:
    assert program("run", program.jobspec, "--simulate", "-q").returncode == 0
    report = next((program.state / "reports").iterdir()).read_bytes()
    for file in program.state.iterdir():
        file.chmod(0o555 if file.is_dir() else 0o444)
    program.state.chmod(0o555)

    def reads(*arguments: str) -> tuple[int, str]:
        return outcome(program.start(*arguments, within=WITHOUT_POWERS if os.geteuid() == 0 else ()))

    try:
        assert "finished" in reads("list")[1]
        assert "8 succeeded" in reads("show", "last")[1]
        assert reads("report", "last", "--report", "-") == (0, report.decode())
        assert reads("verify", "last")[0] == 0
        assert reads("locks") == (0, "no run holds any server\n")
        code, said = reads("backup", "copy.db")
        assert (code, "(1 runs)" in said) == (0, True), said
        code, said = reads("run", str(program.jobspec), "--simulate")
        assert (code, "journal.db cannot be used" in said, "make room" in said) == (6, True, False), said
    finally:
        program.state.chmod(0o755)


def test_a_backup_made_while_a_run_goes_on_can_be_gone_on_with(program: Program, simulator: StartSimulator) -> None:
    program.servers(24)
    url = simulator(MANNERS, lasting=True)
    process = program.start("run", program.jobspec, "--endpoint", url, "-v")
    until(process.stderr, "job accepted")
    made = program("backup", "copy.db")
    assert (made.returncode, "copy.db (1 runs)" in made.stdout) == (0, True), made.stderr
    again = program("backup", "copy.db")
    assert (again.returncode, "copy.db: is there already" in again.stderr) == (2, True), again.stderr
    process.kill()
    process.communicate()
    shutil.rmtree(program.state)
    program.state.mkdir()
    (program.folder / "copy.db").rename(program.state / "journal.db")
    simulator.let_tasks_end()
    result = program("resume", "last")
    assert result.returncode == 0, result.stdout + result.stderr
    check_everything_once(program, url, 12)


def test_a_backup_of_nothing_is_refused(program: Program) -> None:
    result = program("backup", "copy.db")
    assert (result.returncode, "there is no journal to copy" in result.stderr) == (2, True)
    assert not program.state.exists()


@pytest.mark.parametrize("command", ["list", "locks"])
def test_looking_into_a_folder_that_is_not_there_makes_none(program: Program, command: str) -> None:
    assert program(command).returncode == 0
    assert not program.state.exists()


def test_a_run_is_owned_before_it_is_read(program: Program, simulator: StartSimulator) -> None:
    """What cannot be read is not gone on with; by then it was owned, and is let go of."""
    process = program.start("run", program.jobspec, "--endpoint", simulator(lasting=True), "-v")
    until(process.stderr, "job accepted")
    process.kill()
    process.communicate()
    db = apsw.Connection(str(program.state / "journal.db"))
    db.execute("PRAGMA foreign_keys = OFF; DELETE FROM plan").fetchall()
    ((renewals,),) = db.execute("SELECT renewals FROM run").fetchall()
    result = program("resume", "last")
    assert (result.returncode, "look at what the service shows" in result.stderr) == (6, True), result.stderr
    rows = db.execute("SELECT renewals, owner_token FROM run").fetchall()
    assert rows == [(int(renewals) + 2, None)]  # type: ignore[arg-type]
    db.close()
