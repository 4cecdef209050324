"""What is done to processes of the program that a test has started."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import apsw

from runner.settings import JOURNAL_FILE
from tests.waiting import eventually

LONGEST_S = 120.0
"""For how long a process may go on that a test waits for, seconds: what hangs must not keep the suite waiting."""


def works(*prefix: str) -> bool:
    """Whether a command such as `unshare --pid` may start others here."""
    if shutil.which(prefix[0]) is None:
        return False
    return subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode == 0


def read_lines(process: subprocess.Popen[str], count: int = 1) -> None:
    """Wait until it has logged so much; the first line says that the run has begun."""
    assert process.stderr is not None
    for _ in range(count):
        process.stderr.readline()


def killed_after(process: subprocess.Popen[str], lines: int) -> None:
    """End it without a word once it has logged so much."""
    read_lines(process, lines)
    process.kill()
    process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for its end: the exit code, and what it said on stdout and stderr."""
    out, err = process.communicate(timeout=LONGEST_S)
    return process.returncode, out, err


def freeze_between_commits(process: subprocess.Popen[str], state_dir: Path) -> None:
    """Stop it where it does not hold the lock of the database."""

    def is_frozen() -> bool:
        process.send_signal(signal.SIGSTOP)
        eventually(lambda: set(_states(process.pid)) == {"T"})  # a signal takes its time, thread by thread
        db = apsw.Connection(str(state_dir / JOURNAL_FILE))
        try:
            db.execute("BEGIN IMMEDIATE; ROLLBACK")
        except apsw.BusyError:
            process.send_signal(signal.SIGCONT)
            return False
        finally:
            db.close()
        return True

    eventually(is_frozen)


def _states(pid: int) -> list[str]:
    """What each of its threads does, proc(5)."""
    tasks = Path(f"/proc/{pid}/task").glob("*/stat")
    return [task.read_text().rpartition(")")[2].split()[0] for task in tasks]
