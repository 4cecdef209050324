"""A terminal as a person has one: a pty in a session of its own, and what stands on its screen, as text."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyte

from tests.cli.conftest import Program
from tests.cli.processes import LONGEST_S
from tests.waiting import eventually

_HELPER = """\
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.tcsetpgrp(0, os.getpid())
os.execvp(sys.argv[1], sys.argv[1:])
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
        self.process: subprocess.Popen[str]
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

    def ends(self, code: int) -> str:
        """Wait for the end; return what was written to standard output."""
        out, _ = self.process.communicate(timeout=LONGEST_S)
        assert self.process.returncode == code, out + self.text
        return out


@contextmanager
def shown(
    program: Program, *arguments: str | Path, columns: int = 80, rows: int = 24, keys: bool = True, **env: str
) -> Iterator[Screen]:
    """A command on a terminal of that size. Without `keys` standard input is none."""
    screen = Screen(columns, rows)
    command = program.command(*arguments)
    given: dict[str, Any] = {"stdin": screen.theirs if keys else subprocess.DEVNULL}
    helper = [command[0], "-c", _HELPER] if keys else []
    screen.process = subprocess.Popen(
        [*helper, *command],
        cwd=program.folder,
        env={**program.env, "TERM": "xterm-256color", "LANG": "C.UTF-8", **env},
        text=True,
        stdout=subprocess.PIPE,
        stderr=screen.theirs,
        **given,
    )
    reading = threading.Thread(target=screen.read, daemon=True)
    reading.start()
    watchdog = threading.Timer(LONGEST_S, screen.process.kill)
    watchdog.start()
    try:
        yield screen
    finally:
        watchdog.cancel()
        screen.process.kill()
        screen.process.communicate()
        os.close(screen.theirs)
        reading.join(10.0)
        os.close(screen.ours)
