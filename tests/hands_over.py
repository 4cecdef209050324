"""Real processes that want one run, frozen and woken at random: `python -m tests.hands_over 50 [FIRST]`.

Each round has a simulator over HTTP, a state folder, and runners in pid namespaces of their own, as in containers of one
pod. A run goes on; its process is stopped (SIGSTOP) or killed, others try again and again to resume it or to release its
servers, are stopped themselves, at times the database is held by somebody else, and after a while those who were stopped
wake. In the end all wake, and the run is resumed until it is over. Then the simulator is asked what it made: one job a
request, whoever sent it.

What no check can prevent is left out: a process that is stopped between the last look at its ownership and the write to
the socket (docs/guarantees.md). So one is stopped only where it waits for something; `--anywhere` stops it anywhere.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import apsw

from tests.cli.conftest import JOBSPEC, Program
from tests.cli.test_crashes import MANNERS, made_by

NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
REQUESTS, PHASES = 80, 4
AT_ONCE = 4
# epoll_wait and epoll_pwait on x86-64, epoll_pwait on arm64.
_WAITS = {"232", "281", "22"}


def in_a_namespace() -> Sequence[str]:
    """What to put before a command for a pid namespace of its own; nothing where that is not allowed."""
    if shutil.which(NAMESPACE[0]) is None:
        return ()
    works = subprocess.run([*NAMESPACE, "true"], check=False, capture_output=True).returncode == 0
    return NAMESPACE if works else ()


class Runner:
    """One process of the program, in a container of its own."""

    def __init__(self, program: Program, prefix: Sequence[str], log: Path, *arguments: str) -> None:
        self._log = log
        with log.open("w") as out:
            self._outer = subprocess.Popen(
                [*prefix, *program.command(*arguments)],
                cwd=program.folder,
                env=program.env,
                stdout=out,
                stderr=out,
            )
        self._nested = bool(prefix)
        self.stopped = False

    @property
    def pid(self) -> int | None:
        """That of the program as this namespace sees it; None when it is over, or has not begun."""
        if self._outer.poll() is not None:
            return None
        if not self._nested:
            return self._outer.pid
        with suppress(OSError):
            children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text().split()
            return int(children[0]) if children else None
        return None

    @property
    def is_over(self) -> bool:
        return self._outer.poll() is not None

    @property
    def said(self) -> str:
        return self._log.read_text()

    @property
    def has_carried_on(self) -> bool:
        """Whether the run was its own once."""
        return "run started" in self.said or "run resumed" in self.said

    def stop(self, *, anywhere: bool) -> bool:
        """Freeze it; whether it was where it may be."""
        pid = self._send(signal.SIGSTOP)
        if pid is not None and not anywhere and not _waits(pid):
            self.wake()
            return False
        self.stopped = pid is not None
        return self.stopped

    def wake(self) -> None:
        self._send(signal.SIGCONT)
        self.stopped = False

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> int | None:
        pid = self.pid
        if pid is None:
            return None
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(pid, number)
        return pid

    def wait(self, seconds: float) -> int:
        return self._outer.wait(seconds)

    def end(self) -> None:
        self.kill()
        self._outer.kill()
        self._outer.wait()


def _waits(pid: int) -> bool:
    """Whether the main thread is stopped where it waits for events."""
    with suppress(OSError):
        for _ in range(100):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
                return Path(f"/proc/{pid}/syscall").read_text().split()[0] in _WAITS
            time.sleep(0.001)
    return False


class Round:
    """One story, drawn from a seed."""

    def __init__(self, seed: int, folder: Path, *, anywhere: bool) -> None:
        self.rng = random.Random(seed)
        self.program = Program(folder, may_start=True)
        self.program.servers(REQUESTS * 2)
        # So slow that it outlasts the story, and that some requests always wait for their turn, and are intended already.
        self.program.jobspec.write_text(JOBSPEC.replace("rate: unlimited, settle", "rate: 2/s, burst: 1, settle"))
        self.anywhere = anywhere
        self.prefix = in_a_namespace()
        self.runners: list[Runner] = []
        self.did: Counter[str] = Counter()

    def tell(self, phases: int) -> None:
        """Tell it.

        Raises:
            AssertionError: a request has two jobs, so that its servers have.
        """
        (self.program.folder / "behaviour.yaml").write_text(MANNERS)
        simulator = self.program.start("simulate", "--port", "0", "-b", "behaviour.yaml")
        try:
            assert simulator.stdout is not None
            url = next(word for word in simulator.stdout.readline().split() if word.startswith("http://"))
            first = self._start("run", str(self.program.jobspec), "--endpoint", url, "-v")
            while "job accepted" not in first.said:
                time.sleep(0.1)
            for _ in range(phases):
                self._phase()
            self._check(url)
        finally:
            for runner in self.runners:
                runner.end()
            simulator.kill()
            simulator.communicate()

    def _start(self, *arguments: str) -> Runner:
        log = self.program.folder / f"log-{len(self.runners)}"
        runner = Runner(self.program, self.prefix, log, *arguments)
        self.runners.append(runner)
        return runner

    def _phase(self) -> None:
        """Something happens to whoever is at work, and others try to take the run over for a while."""
        rng = self.rng
        self._strike(rng.choice(("stop", "stop", "stop", "kill", "nothing")))
        tries_s = rng.choice((8.0, 25.0, 45.0, 45.0))
        began, wakes_s = time.monotonic(), rng.uniform(0.0, tries_s + 10.0)
        release = rng.random() < 0.3
        held_at = rng.choice((math.inf, math.inf, rng.uniform(0.0, tries_s)))
        while (passed_s := time.monotonic() - began) < tries_s:
            trying = [runner for runner in self.runners if not runner.is_over and not runner.stopped]
            if len(trying) < rng.choice((1, 2)):
                self._try(release=release)
            if rng.random() < 0.05:
                self._strike("stop")
            if passed_s > held_at:
                held_at = math.inf
                self._hold()
            if passed_s > wakes_s:
                self._wake_all()
            time.sleep(rng.uniform(0.5, 2.0))
        if rng.random() < 0.5:
            self._wake_all()

    def _strike(self, what: str) -> None:
        """Stop or kill one of those who are at work, or try to be: rather one that has the run, or had it."""
        chosen = [runner for runner in self.runners if not runner.is_over and not runner.stopped]
        if not chosen or what == "nothing":
            return
        if self.rng.random() < 0.8:
            chosen = [runner for runner in chosen if runner.has_carried_on] or chosen
        runner = self.rng.choice(chosen)
        if what == "kill":
            runner.kill()
        done = what == "kill" or any(runner.stop(anywhere=self.anywhere) for _ in range(100))
        self.did[what] += done

    def _try(self, *, release: bool) -> None:
        if release and self.rng.random() < 0.5:
            self._start("locks", "--release", "last")
        else:
            self._start("resume", "last", "-v")
        self.did["tried"] += 1

    def _wake_all(self) -> None:
        for runner in self.runners:
            if runner.stopped:
                runner.wake()
                self.did["woken"] += 1

    def _hold(self) -> None:
        """As a backup does, for a while: some of those who wait for it run out of patience."""
        db = apsw.Connection(str(self.program.state / "journal.db"))
        db.set_busy_timeout(1000)
        with suppress(apsw.BusyError):
            db.execute("BEGIN IMMEDIATE")
            time.sleep(self.rng.choice((1.0, 5.0, 25.0)))
            db.execute("ROLLBACK")
            self.did["held"] += 1
        db.close()

    def _check(self, url: str) -> None:
        self._wake_all()
        for runner in self.runners:
            runner.wait(300.0)
        for _ in range(5):
            last = self._start("resume", "last")
            if last.wait(300.0) == 0 or "is finished" in last.said:
                break
        jobs = Counter(asyncio.run(made_by(url)))
        text = "".join(runner.said for runner in self.runners)
        self.did["ownership lost"] = text.count("another process took over run")
        self.did["taken over"] = text.count("run resumed")
        self.did["released"] = text.count("released: ")
        assert "Traceback" not in text, text
        assert last.wait(0.0) == 0 or "is finished" in last.said, last.said
        assert len(jobs) == REQUESTS, jobs
        assert set(jobs.values()) == {1}, f"servers with two jobs: {jobs}"
        verify = self._start("verify", "last")
        assert verify.wait(60.0) == 0, verify.said


def tell(seed: int, phases: int = PHASES, *, anywhere: bool = False) -> Counter[str]:
    """One round; what happened in it. Its folder stays where something was wrong."""
    folder = Path(tempfile.mkdtemp(prefix=f"hands-over-{seed}-"))
    told = Round(seed, folder, anywhere=anywhere)
    told.tell(phases)
    shutil.rmtree(folder)
    return told.did


def main() -> int:
    """Tell as many rounds as the command line asks for, some side by side."""
    parser = argparse.ArgumentParser(prog="python -m tests.hands_over", description="Real processes that want one run.")
    parser.add_argument("rounds", type=int, nargs="?", default=50)
    parser.add_argument("first", type=int, nargs="?", default=0, help="the first round's seed")
    parser.add_argument("--anywhere", action="store_true", help="stop a process wherever it is")
    asked = parser.parse_args()
    told: Counter[str] = Counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        seeds = range(asked.first, asked.first + asked.rounds)
        rounds = {seed: pool.submit(tell, seed, anywhere=asked.anywhere) for seed in seeds}
        for seed, telling in rounds.items():
            error = telling.exception()
            if error is not None:
                _say(f"round {seed}: {error!r}")
                pool.shutdown(cancel_futures=True)
                return 1
            told += telling.result()
            _say(f"round {seed}: {dict(telling.result())}")
    _say(f"{asked.rounds} rounds from {asked.first}, no server with two jobs: {dict(told)}")
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
