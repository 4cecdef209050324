"""Runs a program for a check: it ends when the program ends, when its time is over, and with this process in any case.

No code of ours runs in the child before it is the program: between fork and exec that is not safe in a process with threads.
So what ends it when this process is killed is a line of shell in the program's own process group, which waits for the end of
a pipe that only this process holds: that end comes however the process ends, and takes the whole group with it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# The waiting part is a child of nobody, so that the program has no child that it did not start; what it holds open is
# only the pipe. A line that comes before the end of the pipe lets it go. TERM is for the program alone.
_SHELL = ("/bin/sh", "-c")
_GROUP = """\
exec 3<&0 <&2 2>&1
( { trap '' TERM; read -r _ <&3 || kill -KILL -$$; } >/dev/null 2>&1 & )
exec "$@" 3<&-"""
_NAME = "runner-check"

# How much is kept of what a program says, bytes: so much that no secret is cut in two before it is taken out.
_KEPT = 64 * 1024
_CHUNK = 64 * 1024
# What a program said before it ended is in the pipe then, and a pipe holds a mebibyte at most.
_MOST_CHUNKS = 16
GRACE_S = 5.0
# How often to look whether it has ended. To be told costs a thread for each, and where the loop is uvloop, the program gets
# files of ours that are not its business.
_LOOK_S = 0.05


class Ran(NamedTuple):
    """How a program ended, None if its time was over, and the end of what it said."""

    code: int | None
    said: str


async def run(
    path: str,
    arguments: Sequence[str],
    env: Mapping[str, str],
    timeout_s: float,
    grace_s: float = GRACE_S,
    given: bytes = b"",
) -> Ran:
    """Run the program at a path; what it started and left behind does not delay that. `given` is its standard input.

    If its time is over it has `grace_s` seconds to end by itself.

    Raises:
        OSError: it cannot be started.
    """
    with _Output() as output, _held_pipe() as (held, passed_on), _readable(given) as read:
        try:
            process = subprocess.Popen(  # noqa: ASYNC220, S603  it takes no longer; to run what is told is what this is for
                (*_SHELL, _GROUP, _NAME, path, *arguments),
                stdin=passed_on,
                stdout=output.written,
                stderr=read,  # on its way: the group's shell reads there, and writes where it should
                start_new_session=True,
                env=env,
            )
        finally:
            output.given_away()
            os.close(passed_on)
        try:
            async with asyncio.timeout(timeout_s):
                code: int | None = await _ended(process)
        except TimeoutError:
            code = None
            await _end(process, grace_s)
        except asyncio.CancelledError:
            await _end(process, grace_s)
            raise
        with suppress(BrokenPipeError):  # whoever waits at the other end is gone
            os.write(held, b"\n")
        return Ran(code, output.end_of_it())


async def _ended(process: subprocess.Popen[bytes]) -> int:
    while (code := process.poll()) is None:  # noqa: ASYNC110  see _LOOK_S
        await asyncio.sleep(_LOOK_S)
    return code


async def _end(process: subprocess.Popen[bytes], grace_s: float) -> None:
    """End a program and all that it started: asked first, and those that stay made to."""
    try:
        _signal_group(process, signal.SIGTERM)
        await _gone(process, grace_s)
    finally:
        # Also where the program itself has gone: what it started may have stayed, in its group.
        _signal_group(process, signal.SIGKILL)
    await _gone(process, GRACE_S)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """The group is still the program's: the part of it that waits for us is in it until we let it go."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


async def _gone(process: subprocess.Popen[bytes], within_s: float) -> None:
    """Wait for its end, but not for ever: even one that was killed may hang in the kernel."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await _ended(process)


@contextmanager
def _held_pipe() -> Iterator[tuple[int, int]]:
    """A pipe whose write end only this process holds: the end to hold, and the one to pass on."""
    passed_on, held = os.pipe()
    try:
        yield held, passed_on
    finally:
        os.close(held)


@contextmanager
def _readable(given: bytes) -> Iterator[int]:
    """A descriptor that gives these bytes and ends. In memory: a disk that is full keeps nobody from being told so."""
    descriptor = os.memfd_create("given") if given else os.open(os.devnull, os.O_RDONLY)
    try:
        if given:
            os.write(descriptor, given)
            os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


class _Output:
    """Collects the end of what is written to a pipe, as long as this is open; `written` is its write end."""

    def __init__(self) -> None:
        self._read, self.written = os.pipe()
        os.set_blocking(self._read, False)
        self._kept = b""

    def __enter__(self) -> Self:
        asyncio.get_running_loop().add_reader(self._read, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._read)
        os.close(self._read)

    def given_away(self) -> None:
        """The write end is another process's now."""
        os.close(self.written)

    def end_of_it(self) -> str:
        """The end of all that was said until now."""
        for _ in range(_MOST_CHUNKS):
            if not self._take():
                break
        return self._kept.decode(errors="replace").strip()

    def _take(self) -> bool:
        """Take what is there; whether more may be."""
        try:
            chunk = os.read(self._read, _CHUNK)
        except BlockingIOError:
            return False
        if not chunk:
            asyncio.get_running_loop().remove_reader(self._read)
        self._kept = (self._kept + chunk)[-_KEPT:]
        return bool(chunk)
