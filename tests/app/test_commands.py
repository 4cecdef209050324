"""Programs of checks as real processes: how they end, what is kept of what they say, and what is left of them."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from runner.app.commands import Ran, run
from tests.waiting import eventually

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
LONG_S = 60.0
SOON_S = 60.0
LOOPS = [name for name in ("asyncio", "uvloop") if importlib.util.find_spec(name)]  # uvloop is an extra
Loop = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> Loop:
    found: Loop = importlib.import_module(request.param).run
    return found


def sh(script: str, timeout_s: float = LONG_S, *arguments: str) -> Coroutine[Any, Any, Ran]:
    env = {"PATH": os.environ["PATH"], "GIVEN": "yes"}
    return run("/bin/sh", ["-c", script, *arguments], env, timeout_s, grace_s=0.5)


def is_gone(pid: int) -> bool:
    """Whether a process ends soon, or has ended already."""
    try:
        waits = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([waits], [], [], SOON_S)[0])
    finally:
        os.close(waits)


def test_how_it_ends_and_what_it_says(loop: Loop) -> None:
    assert loop(sh("echo well; echo ill >&2")) == Ran(0, "well\nill")
    assert loop(sh("exit 7")) == Ran(7, "")
    assert loop(sh("kill -9 $$")) == Ran(-9, "")
    assert loop(sh('echo "$0 $1"', LONG_S, "a  b", "$HOME")) == Ran(0, "a  b $HOME")
    assert loop(sh("cat; echo $GIVEN$HOME")) == Ran(0, "yes")


def test_it_has_nothing_of_ours(loop: Loop) -> None:
    """No file of ours is open in it, even one that may be inherited, and it has no child that it did not start."""
    reading, writing = os.pipe()
    try:
        os.set_inheritable(writing, True)
        listed = loop(sh("ls /proc/$$/fd; set -- /proc/$$/task/*/children; read -r children < $1; echo :$children"))
        assert listed.said.split() == ["0", "1", "2", ":"]
    finally:
        os.close(reading)
        os.close(writing)


def test_what_it_left_behind_does_not_keep_it_and_is_left_alone(loop: Loop) -> None:
    began = time.monotonic()
    ran = loop(sh("sleep 600 & echo $$ $!"))
    group, left = map(int, ran.said.split())
    try:
        assert time.monotonic() - began < SOON_S
        assert ran.code == 0
        eventually(lambda: members(group) == {left}, SOON_S)  # once the part of the group that is ours has gone
    finally:
        os.kill(left, signal.SIGKILL)


def test_what_writes_on_when_it_has_ended_does_not_keep_it(loop: Loop) -> None:
    ran = loop(sh("echo begun; yes & echo $!; exit 3"))
    assert ran.code == 3
    assert not ran.said.startswith("begun\nbegun")


def test_all_that_was_said_before_the_end_is_there(loop: Loop) -> None:
    for _ in range(20):
        assert loop(sh("head -c 60000 /dev/zero | tr '\\0' x; echo; echo end")).said.endswith("x\nend")


def test_of_very_much_the_end_is_kept(loop: Loop) -> None:
    ran = loop(sh("yes | head -c 50000000; echo; echo the end"))
    assert ran.said.endswith("y\n\nthe end")
    assert len(ran.said) <= 64 * 1024


def test_on_a_time_out_what_it_said_is_kept_and_all_of_it_ends(loop: Loop, tmp_path: Path) -> None:
    deaf = f"trap '' TERM; echo $$ > {tmp_path}/deaf; while :; do sleep 1; done"
    began = time.monotonic()
    ran = loop(sh(f'echo half done; sh -c "{deaf.replace("$", chr(92) + "$")}" & sleep 600', 1.0))
    assert ran == Ran(None, "half done")
    assert time.monotonic() - began < SOON_S
    assert is_gone(int((tmp_path / "deaf").read_text()))


def test_one_that_does_not_heed_the_first_signal_is_killed(loop: Loop) -> None:
    assert loop(sh("trap 'echo no' TERM; while :; do sleep 0.1; done", 0.5)).said.endswith("no")


def test_what_cannot_be_started_says_so(loop: Loop) -> None:
    ran = loop(run("/no/such/program", [], {}, LONG_S))
    assert ran.code == 127
    assert "/no/such/program" in ran.said


def test_what_is_called_off_ends(tmp_path: Path, loop: Loop) -> None:
    path = tmp_path / "pid"

    def has_begun() -> bool:
        return path.exists() and path.read_text() != ""

    async def called_off() -> None:
        running = asyncio.ensure_future(sh(f"echo $$ > {path}; exec sleep 600"))
        await asyncio.to_thread(eventually, has_begun)
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()

    loop(called_off())
    assert is_gone(int(path.read_text()))


STARTS = """\
import asyncio, importlib, sys
from runner.app.commands import run
script = sys.argv[3] if sys.argv[3:] else "sh -c 'echo $$; sleep 600' & trap '' TERM HUP INT; echo $$; sleep 600"
async def main():
    await run("/bin/sh", ["-c", f"exec >{sys.argv[1]}; {script}"], {"PATH": "/usr/bin:/bin"}, 600)
importlib.import_module(sys.argv[2]).run(main())
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT])
@pytest.mark.parametrize("name", LOOPS)
def test_it_ends_with_the_process_that_started_it(tmp_path: Path, name: str, how: signal.Signals) -> None:
    pids = tmp_path / "pids"
    command = [sys.executable, "-c", STARTS, str(pids), name]
    with subprocess.Popen(command, env={"PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL) as process:
        eventually(lambda: pids.exists() and len(pids.read_text().split()) == 2, SOON_S)
        started = list(map(int, pids.read_text().split()))
        assert all(Path(f"/proc/{pid}").exists() for pid in started)
        process.send_signal(how)
    assert all(map(is_gone, started))


@pytest.mark.parametrize("name", LOOPS)
def test_it_ends_with_that_process_also_while_it_is_asked_to_end(tmp_path: Path, name: str) -> None:
    """The first signal goes to the whole group: what waits for the end of this process must not heed it."""
    asked = tmp_path / "asked"
    script = f"trap 'echo $$ > {asked}' TERM; while :; do sleep 0.1; done"
    starts = STARTS.replace(", 600)", ", 0.2, grace_s=600)")
    command = [sys.executable, "-c", starts, str(tmp_path / "out"), name, script]
    with subprocess.Popen(command, env={"PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL) as process:
        eventually(lambda: asked.exists() and asked.read_text(), SOON_S)
        process.kill()
    assert is_gone(int(asked.read_text()))


def test_nothing_is_left_of_it_once_it_ended(loop: Loop) -> None:
    group = int(loop(sh("echo $$")).said)
    eventually(lambda: not members(group), SOON_S)


def members(group: int) -> set[int]:
    """The processes of a group."""
    return {int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and _group_of(path) == group}


def _group_of(path: Path) -> int:
    state, _, group = _stat_of(path / "stat")
    return 0 if state == "Z" else int(group)


def _stat_of(path: Path) -> list[str]:
    """State, parent and group of a process; one that is gone is a zombie of no group."""
    try:
        return path.read_text().rpartition(")")[2].split()[:3]
    except OSError:
        return ["Z", "0", "0"]


def test_what_was_said_while_nobody_read_is_there(tmp_path: Path, loop: Loop) -> None:
    """Where the loop was busy when the program ended, it may learn of that before it reads."""
    path = tmp_path / "pid"

    def has_ended() -> bool:
        pid = path.read_text().strip() if path.exists() else ""
        return pid != "" and _group_of(Path("/proc") / pid) == 0

    async def busy() -> Ran:
        running = asyncio.ensure_future(sh(f"echo $$ > {path}; echo well"))
        await asyncio.sleep(0)
        eventually(has_ended, SOON_S)
        return await running

    assert loop(busy()) == Ran(0, "well")
