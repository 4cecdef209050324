"""The signals that end a process, in the task that carries a run out."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any, Self

from runner.app.host import RECEIVED

if TYPE_CHECKING:
    from runner.app.host import Stoppable

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What ends a process: Ctrl-C, the system, and a terminal or session that is closed."""


class Signals:
    """The first of the signals that end a process stops the run, the second one ends its task at once.

    But not a second SIGHUP: the end of a session sends one by the terminal and one by the shell. One that the process was
    started to ignore, as `nohup` and a shell's `&` have it, stays ignored. Once the engine has ended nothing more comes of
    any: the report is then written.
    """

    def __init__(self) -> None:
        self._run: Stoppable | None = None
        self._stopping = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        for number in ENDING_SIGNALS:
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:
                self._before[number] = before
                loop.add_signal_handler(number, self._received, number)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            # Else the loop leaves the system's own handling, by which the process would die at once.
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, before)

    def stop_first(self, run: Stoppable) -> None:
        """From now on the first signal stops this."""
        self._run = run

    def _received(self, number: signal.Signals) -> None:
        if self._run is not None and not self._stopping:
            self._stopping = True
            self._run.stop(f"{number.name}{RECEIVED}")
        elif self._task is not None and (number is not signal.SIGHUP or self._run is None):
            self._task.cancel()
