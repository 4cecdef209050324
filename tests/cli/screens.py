"""A terminal as a person has one: a pty in a session of its own, and what stands on its screen, as text."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pyte

from tests.cli.conftest import Program
from tests.cli.processes import LONGEST_S
from tests.waiting import eventually

# As a shell does it: the session is its own, and each command a process group in the foreground. It tells the command's
# pid and exit code on one descriptor, and stays until another one is closed, for with it the terminal would be hung up.
_SHELL = """\
import fcntl, os, signal, sys, termios
told, held, out = map(int, sys.argv[1:4])
os.setsid()
fcntl.ioctl(2, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
child = os.fork()
if not child:
    os.setpgid(0, 0)
    os.tcsetpgrp(2, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.dup2(out, 1)
    for descriptor in (told, held, out):
        os.close(descriptor)
    os.execvp(sys.argv[4], sys.argv[4:])
os.close(out)
os.write(told, b"%d\\n" % child)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
os.write(told, b"%d\\n" % code)
os.close(told)
os.read(held, 1)
"""


class Screen:
    """What a process shows on a terminal of its own. `text` is what stands there; `raw` all that was written."""

    def __init__(self, columns: int, rows: int) -> None:
        self.ours, self.theirs = pty.openpty()
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self.raw = b""
        self.normal = termios.tcgetattr(self.theirs)
        self.pid = 0
        self._told: IO[str]
        self._out: IO[str]
        self._size(columns, rows)

    def _size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns: int, rows: int) -> None:
        """As a person does it: the terminal is cleared of nothing, and the process is told by the system."""
        with self._lock:
            self._screen.resize(rows, columns)
            self.raw = b""
        self._size(columns, rows)

    def read(self) -> None:
        """Take in what is written, until the other end is closed."""
        with suppress(OSError):
            while data := os.read(self.ours, 65536):
                with self._lock:
                    self.raw += data
                    self._stream.feed(data)

    @property
    def lines(self) -> list[str]:
        """The rows of the screen."""
        with self._lock:
            return [row.rstrip() for row in self._screen.display]

    @property
    def text(self) -> str:
        """All that stands there."""
        return "\n".join(self.lines)

    @property
    def colors(self) -> set[str]:
        """The colours of all that stands there."""
        with self._lock:
            return {cell.fg for row in self._screen.buffer.values() for cell in row.values()} | {
                cell.bg for row in self._screen.buffer.values() for cell in row.values()
            }

    @property
    def is_normal(self) -> bool:
        """Whether the terminal is in the modes that it was in before."""
        return termios.tcgetattr(self.theirs) == self.normal

    def set_normal(self) -> None:
        """As a shell does that has its prompt again."""
        termios.tcsetattr(self.theirs, termios.TCSANOW, self.normal)

    def until(self, *words: str) -> str:
        """Wait until all of this stands there; return the screen."""
        self.when(lambda: all(word in self.text for word in words), lambda: f"{words} not in\n{self.text}")
        return self.text

    def when(self, is_so: Callable[[], bool], otherwise: Callable[[], str] = lambda: "") -> None:
        """Wait until it is so."""
        try:
            eventually(is_so)
        except AssertionError as error:
            raise AssertionError(otherwise() or self.text) from error

    def type(self, text: str) -> None:
        """Press keys, all at once."""
        os.write(self.ours, text.encode())

    def start(
        self, command: Sequence[str], folder: Path, env: Mapping[str, str], *, keys: bool
    ) -> subprocess.Popen[bytes]:
        """Start a command as a shell does, and return the process of that shell."""
        (told, tell), (hold, self.held), (out, write) = os.pipe(), os.pipe(), os.pipe()
        shell = subprocess.Popen(
            [sys.executable, "-c", _SHELL, str(tell), str(hold), str(write), *command],
            cwd=folder,
            env=env,
            stdin=self.theirs if keys else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self.theirs,
            pass_fds=(tell, hold, write),
        )
        for descriptor in (tell, hold, write):
            os.close(descriptor)
        self._told, self._out = os.fdopen(told), os.fdopen(out)
        self.pid = int(self._told.readline())
        return shell

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    @property
    def code(self) -> int:
        """Its exit code, or the signal that ended it as a negative number, once it is over."""
        return int(self._told.readline())

    def ends(self, code: int) -> str:
        """Wait for the end; return what was written to standard output."""
        out, found = self._out.read(), self.code
        assert found == code, out + self.text
        return out

    @property
    def state(self) -> str:
        """What its process does, proc(5)."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]

    def kill(self) -> None:
        """End it, if it goes on."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Nobody sits there any more."""
        for stream in (self._told, self._out):
            stream.close()
        os.close(self.held)


@contextmanager
def shown(
    program: Program,
    *arguments: str | Path,
    columns: int = 80,
    rows: int = 24,
    keys: bool = True,
    is_command: bool = False,
    **env: str,
) -> Iterator[Screen]:
    """A command of ours, or another one, on a terminal of that size. Without `keys` standard input is none."""
    screen = Screen(columns, rows)
    command = [*map(str, arguments)] if is_command else program.command(*arguments)
    given = {**program.env, "TERM": "xterm-256color", "LANG": "C.UTF-8", **env}
    shell = screen.start(command, program.folder, given, keys=keys)
    reading = threading.Thread(target=screen.read, daemon=True)
    reading.start()
    watchdog = threading.Timer(LONGEST_S, screen.kill)
    watchdog.start()
    try:
        yield screen
    finally:
        watchdog.cancel()
        screen.kill()
        screen.close()
        shell.wait()
        os.close(screen.theirs)
        reading.join(10.0)
        os.close(screen.ours)
