"""The examples of docs/cron.md: cron and systemd understand them, and so does the program."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path

import click
import pytest
from cronsim import CronSim

from runner.app.process import this_host
from runner.cli.main import cli
from runner.spec.moments import is_too_late, parse_moment, slot_day
from tests.cli.conftest import JOBSPEC, ROOT, Program

TEXT = (ROOT / "docs" / "cron.md").read_text()
VARIABLE = re.compile(r"([A-Z_]+)=(.*)")


def crontab() -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The environment of the crontab, and its lines: when, and the command."""
    (block,) = re.findall(r"```crontab\n(.*?)```", TEXT, re.DOTALL)
    lines = [line for line in block.splitlines() if not line.startswith("#")]
    matches = [(line, VARIABLE.fullmatch(line)) for line in lines]
    env = {match[1]: match[2] for _, match in matches if match}
    jobs = [line.split(" ", 5) for line, match in matches if not match]
    return env, [(" ".join(job[:5]), job[5]) for job in jobs]


ENV, JOBS = crontab()
UNITS: dict[str, str] = dict(re.findall(r"```ini\n# /etc/systemd/system/(\S+)\n(.*?)```", TEXT, re.DOTALL))


def arguments_of(command: str) -> list[str]:
    """What a shell gives to the program, up to the redirection."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    assert Path(words[0]).name == "runner"
    end = next((index for index, word in enumerate(words) if set(word) <= set("<>|&;")), len(words))
    return words[1:end]


def setting(unit: str, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", UNITS[unit], re.MULTILINE)


COMMANDS = [*(command for _, command in JOBS), *setting("runner-nightly.service", "ExecStart")]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_program_understands_every_example(command: str) -> None:
    name, *arguments = arguments_of(command)
    with click.Context(cli, obj=this_host) as context:
        known = cli.get_command(context, name)
        assert known is not None
        options = known.make_context(name, arguments, parent=context).params
    assert options["once_key"]
    assert options["not_after"] is not None
    assert (options["quiet"], options["log_format"]) == (True, "json")


def test_every_flag_that_is_explained_is_one() -> None:
    with click.Context(cli) as context:
        commands = [cli.get_command(context, name) for name in cli.list_commands(context)]
        flags = {flag for command in commands if command for option in command.params for flag in option.opts}
    assert set(re.findall(r"--[a-z]+(?:-[a-z]+)*", TEXT)) <= flags


@pytest.mark.parametrize(("when", "command"), JOBS)
def test_cron_understands_every_line(when: str, command: str) -> None:
    times = CronSim(when, datetime(2026, 11, 25, 12, tzinfo=UTC))
    assert next(times) < next(times)
    assert "%" not in command.replace("\\%", "")
    assert "flock" not in command


@pytest.mark.parametrize("hours", range(-12, 15))
def test_all_tries_of_a_night_have_one_key_and_are_in_time_wherever_the_machine_is(hours: int) -> None:
    tz = timezone(timedelta(hours=hours))
    when, command = JOBS[0]
    latest = parse_moment(arguments_of(command)[arguments_of(command).index("--not-after") + 1])
    assert latest is not None
    tries = CronSim(when, datetime(2026, 11, 25, 21, tzinfo=tz))
    night = [next(tries).timestamp() for _ in range(24)]
    assert {slot_day(latest, at, tz) for at in night} == {date(2026, 11, 26)}
    assert not any(is_too_late(latest, at, tz) for at in night)
    assert slot_day(latest, next(tries).timestamp(), tz) == date(2026, 11, 27)


def test_the_line_that_reports_a_missed_week_asks_for_the_same_slot() -> None:
    (first, command), (check, checking) = JOBS[1:]
    assert arguments_of(command)[:8] == arguments_of(checking)[:8]
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    start, late = (next(CronSim(when, monday)).timestamp() for when in (first, check))
    assert not is_too_late(time(4), start, UTC)
    assert is_too_late(time(4), late, UTC)
    assert slot_day(time(4), start, UTC) == slot_day(time(4), late, UTC) == monday.date()


@pytest.fixture
def systemd_analyze() -> str:
    path = shutil.which("systemd-analyze")
    if path is None:
        pytest.skip("this machine has no systemd-analyze")
    return path


@pytest.mark.process
def test_systemd_finds_nothing_wrong_with_the_units(systemd_analyze: str, tmp_path: Path) -> None:
    assert set(UNITS) == {"runner-nightly.service", "runner-nightly.timer"}
    for name, text in UNITS.items():
        (tmp_path / name).write_text(text.replace("/opt/runner/bin/runner", sys.executable))
    checked = subprocess.run(
        [systemd_analyze, "verify", "--man=no", *(str(tmp_path / name) for name in UNITS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.process
def test_systemd_understands_when(systemd_analyze: str) -> None:
    for when in setting("runner-nightly.timer", "OnCalendar"):
        checked = subprocess.run(
            [systemd_analyze, "calendar", "--base-time=2026-11-25 12:00", when],
            capture_output=True,
            text=True,
            check=False,
        )
        assert checked.returncode == 0, checked.stderr
        assert "2026-11-25 23:00:00" in checked.stdout


@pytest.fixture
def machine(program: Program) -> Program:
    """A folder that stands in for the root of the examples, with a `runner` in it that only simulates."""
    for folder in ("opt/runner/bin", "etc/runner", "var/lib/runner", "var/log/runner"):
        (program.folder / folder).mkdir(parents=True)
    runner = program.folder / "opt/runner/bin/runner"
    runner.write_text(f'#!/bin/sh\nexec {sys.executable} -m runner "$@" --simulate\n')
    runner.chmod(0o755)
    (program.folder / "etc/runner/nightly.yaml").write_text(JOBSPEC)
    (program.folder / "fleet.csv").rename(program.folder / "etc/runner/fleet.csv")
    return program


@pytest.mark.process
def test_a_line_as_cron_runs_it_prints_only_when_something_is_wrong(machine: Program) -> None:
    root = str(machine.folder)

    def moved(text: str) -> str:
        return re.sub(r"(?<![\w.])/(?=(?:opt|etc|var)/)", f"{root}/", text)

    env = {name: moved(value) for name, value in ENV.items()} | {"HOME": root, "PYTHONPATH": str(ROOT)}
    # At any time of the day: it is done, or skipped because it is too late.
    command = moved(JOBS[0][1])

    def cron(command: str) -> str:
        done = subprocess.run(["/bin/sh", "-c", command], env=env, capture_output=True, text=True, check=True)
        assert not done.stderr
        return done.stdout

    assert cron(command) == ""
    log = machine.folder / "var/log/runner/nightly.log"
    assert re.search("report: |missed ", log.read_text())
    assert cron(command) == ""
    assert re.search("already did |missed ", log.read_text())
    said = cron(command.replace("nightly.yaml", "nowhere.yaml"))
    assert said == f"runner: exit 2, see {log}\n"
