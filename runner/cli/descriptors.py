"""Descriptors that are written to: who shares them may have made them non-blocking, and whoever read them may be gone."""

from __future__ import annotations

import io
import os
import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Descriptor(io.RawIOBase):
    """A descriptor, written to as if it blocked. It is not closed with this."""

    def __init__(self, number: int) -> None:
        self._number = number

    def fileno(self) -> int:
        """Its number."""
        return self._number

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._number)

    def writable(self) -> bool:
        """It is, or says why not when it is tried."""
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        """Write some of it, and wait until some of it can be written.

        Raises:
            OSError: it cannot.
        """
        while True:
            try:
                return os.write(self._number, data)
            except BlockingIOError:
                waiting = select.poll()
                waiting.register(self._number, select.POLLOUT)
                waiting.poll()


class Forgiving(Descriptor):
    """One that takes everything: after what cannot be written, which `lost` tells, nothing more is tried."""

    lost: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        """Write some of it, or lose all."""
        if self.lost is None:
            try:
                return super().write(data)
            except OSError as error:
                self.lost = error
        return memoryview(data).nbytes
