"""A terminal that is drawn on: its size, its modes, and a guard that puts them back if this process is killed."""

from __future__ import annotations

import os
import subprocess
import termios
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from runner.screen.cells import Tone

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.screen.cells import Line

# The alternate screen, without a cursor, where nothing wraps (xterm, Control Sequences); and all of it back.
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"
_CLEAR, _TO_LINE, _REST_OF_LINE, _NO_TONE = "\x1b[2J", "\x1b[{};1H", "\x1b[K", "\x1b[0m"
# The sixteen colours that every terminal has, as its owner chose them.
_COLORS = {Tone.STRONG: "1", Tone.DIM: "2", Tone.GOOD: "32", Tone.BAD: "1;31", Tone.CARE: "1;33", Tone.WORK: "36"}
_USUAL_SIZE = (80, 24)
# It waits for the end of its input. Without the word before, this process is gone: then the modes are put back, if they are
# as this process left them, for a shell may have its own already.
_GUARD = """\
exec 3>&1
read -r word
[ "$word" = done ] && exit
[ "$(stty -g <&3)" = "$2" ] && stty "$1" <&3
printf '\\033[?7h\\033[?25h\\033[?1049l'
"""


class _Stream(Protocol):
    def write(self, text: str) -> int: ...
    def flush(self) -> None: ...
    def fileno(self) -> int: ...


class Terminal:
    """The terminal behind a stream. `keys` is the descriptor that its keys are read from; None: there are none."""

    def __init__(self, stream: _Stream, keys: int | None, environ: Mapping[str, str], *, color: bool) -> None:
        self._stream = stream
        self._keys = keys
        self._environ = environ
        self._codes = _COLORS if color else {}
        self._before: list[Any] | None = None
        self._normal = ""
        self._guard: subprocess.Popen[bytes] | None = None
        self._drawn: list[str] = []
        self.is_entered = False

    def size(self) -> tuple[int, int]:
        """Columns and rows, as they are now; where the terminal does not say, as the environment has them."""
        try:
            columns, rows = os.get_terminal_size(self._stream.fileno())
        except OSError:
            columns, rows = 0, 0
        usual = (self._variable("COLUMNS") or _USUAL_SIZE[0], self._variable("LINES") or _USUAL_SIZE[1])
        return columns or usual[0], rows or usual[1]

    def _variable(self, name: str) -> int:
        value = self._environ.get(name, "")
        return int(value) if value.isascii() and value.isdigit() else 0

    @property
    def is_ours(self) -> bool:
        """Whether this process is in the foreground: else a change of modes would stop it, and a picture be in the way."""
        try:
            return os.tcgetpgrp(self._stream.fileno()) == os.getpgrp()
        except OSError:  # it is no terminal of this session, so nobody is stopped for using it
            return True

    def enter(self) -> None:
        """Have the whole terminal, and each key as it is pressed."""
        self.is_entered = True
        if self._keys is not None:
            with suppress(termios.error):
                self._take_keys(self._keys)
        self._write(_ENTER)
        self.forget()

    def _take_keys(self, keys: int) -> None:
        if self._before is None:
            self._before, self._normal = termios.tcgetattr(keys), _modes(keys)
        modes = termios.tcgetattr(keys)
        modes[3] &= ~(termios.ICANON | termios.ECHO)
        termios.tcsetattr(keys, termios.TCSANOW, modes)
        self._guard = _guard(self._stream.fileno(), self._normal, _modes(keys))

    def leave(self) -> None:
        """Put all back as it was. What was typed ahead is dropped: it was not meant for the shell."""
        was_entered, self.is_entered = self.is_entered, False
        if self._keys is not None and self._before is not None and self.is_ours:
            with suppress(termios.error):
                termios.tcsetattr(self._keys, termios.TCSANOW, self._before)
                termios.tcflush(self._keys, termios.TCIFLUSH)
        self._before = None
        self._dismiss_guard()
        if was_entered:
            self._write(_LEAVE)

    def enter_anew(self) -> None:
        """Somebody else may have had it meanwhile: it is entered again before it is drawn on."""
        self.is_entered = False
        self._dismiss_guard()

    def _dismiss_guard(self) -> None:
        guard, self._guard = self._guard, None
        if guard is not None:
            with suppress(OSError):
                guard.communicate(b"done\n")

    def forget(self) -> None:
        """Somebody else may have written on it: the next picture is drawn whole."""
        self._drawn = []

    def draw(self, lines: Sequence[Line]) -> None:
        """Draw what is new. Lines are of the size that `size` said."""
        texts = [self._coded(one) for one in lines]
        is_whole = len(self._drawn) != len(texts)
        parts = [_CLEAR] if is_whole else []
        for row, text in enumerate(texts):
            if is_whole or text != self._drawn[row]:
                parts += [_TO_LINE.format(row + 1), text, _REST_OF_LINE]
        self._drawn = texts
        if parts:
            self._write("".join(parts))

    def print(self, lines: Sequence[Line]) -> None:
        """Let lines stand where a shell goes on below them."""
        self._write("".join(f"{self._coded(one)}\r\n" for one in lines))

    def _coded(self, of: Line) -> str:
        codes = self._codes
        return "".join(
            f"\x1b[{codes[piece.tone]}m{piece.text}{_NO_TONE}" if piece.tone in codes else piece.text for piece in of
        )

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _modes(terminal: int) -> str:
    """The modes of a terminal as stty(1) writes them; empty: there is no such program."""
    try:
        return subprocess.run(["stty", "-g"], stdin=terminal, capture_output=True, check=False).stdout.decode().strip()  # noqa: S607
    except OSError:
        return ""


def _guard(terminal: int, normal: str, ours: str) -> subprocess.Popen[bytes] | None:
    """A process that outlives a SIGKILL of this one. In a session of its own, where no key of the terminal ends it."""
    try:
        return subprocess.Popen(  # noqa: S603  the program is ours
            ["/bin/sh", "-c", _GUARD, "sh", normal, ours],
            stdin=subprocess.PIPE,
            stdout=terminal,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return None
