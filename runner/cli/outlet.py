"""A stream to show things on that never keeps a run waiting: a thread writes, and what nobody takes is left out."""

from __future__ import annotations

import io
import os
import queue
import threading
from contextlib import suppress
from typing import TextIO

from runner.cli.descriptors import Descriptor

_MOST_WAITING = 1000


class Outlet:
    """A stream as logs and tables need it, and a file of its own behind it. What is written goes out at each `flush`.

    Whoever reads the other end may have stopped, as `less` does that nobody scrolls on, or a terminal after Ctrl-S. `missed`
    counts what was left out because of that.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._has_own = False
        with suppress(OSError):  # one in memory has no descriptor, and takes everything at once
            # Its own, for whoever flushed a stream that the thread is stuck in would be stuck as well.
            own = os.dup(stream.fileno())
            self._stream = io.TextIOWrapper(io.BufferedWriter(Descriptor(own)), stream.encoding, stream.errors)
            self._has_own = True
        self._parts: list[str] = []
        self._waiting: queue.Queue[str] = queue.Queue(_MOST_WAITING)
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None
        self.missed = 0

    @property
    def encoding(self) -> str:
        """That of the stream."""
        return self._stream.encoding

    @property
    def is_behind(self) -> bool:
        """Whether something waits that nobody has taken yet."""
        return self._waiting.unfinished_tasks > 0

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """That of the stream."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Keep text for the next flush."""
        self._parts.append(text)
        return len(text)

    def flush(self) -> None:
        """Have what was written go out.

        Raises:
            OSError: what failed before: the stream takes nothing any more.
        """
        self.check()
        text = "".join(self._parts)
        self._parts.clear()
        if not self._has_own:
            self._stream.write(text)
        elif text:
            self._hand_over(text)

    def _hand_over(self, text: str) -> None:
        try:
            self._waiting.put_nowait(text)
        except queue.Full:
            self.missed += 1
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="outlet", daemon=True)
            self._thread.start()

    def check(self) -> None:
        """Raise what writing failed with, if it did."""
        if self._error is not None:
            raise self._error

    def drain(self, longest_s: float) -> None:
        """Wait until everything is out, but no longer than that."""
        with self._waiting.all_tasks_done:
            self._waiting.all_tasks_done.wait_for(lambda: not self.is_behind, longest_s)

    def _write(self) -> None:
        while True:
            text = self._waiting.get()
            try:
                if self._error is None:
                    self._stream.write(text)
                    self._stream.flush()
            except Exception as error:  # noqa: BLE001  whoever writes next is told
                self._error = error
            self._waiting.task_done()
