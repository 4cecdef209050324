"""Keys as they are pressed, the terminal's size as it changes, and Ctrl-Z: all that comes from whoever sits there."""

from __future__ import annotations

import asyncio
import codecs
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_BYTES = 4096


class Keyboard:
    """Calls back in the event loop: `typed` with what was read at once, `changed` when the size did.

    `suspended` is called before the process is stopped by Ctrl-Z, `continued` when it goes on.
    """

    def __init__(
        self,
        keys: int | None,
        typed: Callable[[str], None],
        changed: Callable[[], None],
        suspended: Callable[[], None],
        continued: Callable[[], None],
    ) -> None:
        self._keys = keys
        self._typed = typed
        self._changed = changed
        self._suspended = suspended
        self._continued = continued
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stops = signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL
        self._reads = False

    def open(self) -> None:
        """Listen from now on; raises RuntimeError where the event loop is none that takes signals."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGWINCH, self._changed)
        loop.add_signal_handler(signal.SIGCONT, self._continued)
        if self._stops:
            loop.add_signal_handler(signal.SIGTSTP, self._stop)

    def close(self) -> None:
        """Listen no more."""
        loop = asyncio.get_running_loop()
        self.listen(on=False)
        for number in (signal.SIGWINCH, signal.SIGCONT, *([signal.SIGTSTP] if self._stops else [])):
            loop.remove_signal_handler(number)

    def listen(self, *, on: bool) -> None:
        """Read keys, or do not: a process in the background would be stopped for it."""
        if self._keys is None or on is self._reads:
            return
        loop = asyncio.get_running_loop()
        self._reads = on
        if on:
            loop.add_reader(self._keys, self._read)
        else:
            loop.remove_reader(self._keys)

    def _read(self) -> None:
        data = b""
        with suppress(OSError):
            data = os.read(self._keys or 0, _MOST_BYTES)
        if not data:  # the terminal is gone
            self.listen(on=False)
            self._keys = None
        elif text := self._decoder.decode(data):
            self._typed(text)

    def _stop(self) -> None:
        self._suspended()
        loop = asyncio.get_running_loop()
        loop.remove_signal_handler(signal.SIGTSTP)  # which leaves the system's own handling
        signal.raise_signal(signal.SIGTSTP)
        loop.add_signal_handler(signal.SIGTSTP, self._stop)
        self._continued()
