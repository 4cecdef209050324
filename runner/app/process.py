"""This process as the host of a run: its clock, its environment, its event loop, its signals."""

from __future__ import annotations

import asyncio
import getpass
import os
import pwd
import random
import resource
import signal
import socket
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from runner.app.checking import LocalChecker
from runner.app.history import open_store
from runner.app.host import RECEIVED, Host
from runner.app.zone import local_zone
from runner.engine.clock import SystemClock
from runner.errors import RunnerError
from runner.files import writing
from runner.journal.owner import this_process
from runner.plain import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from contextlib import AsyncExitStack

    from runner.app.host import Redact, Stoppable
    from runner.engine.ports import JobService, MachineClock
    from runner.engine.refusals import CredentialMemory
    from runner.plan.plan import Plan
    from runner.simulator.behaviour import Behaviour

T = TypeVar("T")

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What ends a process: Ctrl-C, the system, and a terminal or session that is closed."""


_NOFILE = resource.RLIMIT_NOFILE
_MOST_DESCRIPTORS = 65_536


def this_host() -> Host:
    """The real thing. The one place where a command gets hold of it."""
    return host_of(dict(os.environ), SystemClock())


def host_of(environ: Mapping[str, str], clock: MachineClock) -> Host:
    """This process with an environment and clocks of its own."""
    return Host(
        clock=clock,
        environ=environ,
        chance=random.SystemRandom(),
        identity=this_process,
        person=_person,
        open_store=open_store,
        open_services=partial(_open_services, environ, clock),
        open_checker=partial(LocalChecker, env=environ),
        interrupts=Signals,
        files=writing,
        run_loop=run_loop,
        zone=partial(local_zone, environ),
        descriptors=_descriptors(),
    )


def _descriptors() -> int:
    """How many descriptors this process may have: as many as it may allow itself, for each connection is one."""
    soft, hard = (_MOST_DESCRIPTORS if n == resource.RLIM_INFINITY else n for n in resource.getrlimit(_NOFILE))
    most = max(soft, min(hard, _MOST_DESCRIPTORS))
    if most > soft:
        with suppress(OSError, ValueError):
            resource.setrlimit(_NOFILE, (most, resource.getrlimit(_NOFILE)[1]))
            return most
    return soft


def _person() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may have no name for its user
        user = str(os.getuid())
    return f"{plain(user)}@{socket.gethostname()}"


def _home(environ: Mapping[str, str]) -> Path | None:
    """The user's folder; None: a container may have none for its user."""
    try:
        return Path(environ["HOME"]) if environ.get("HOME") else Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return None


async def _open_services(
    environ: Mapping[str, str],
    clock: MachineClock,
    stack: AsyncExitStack,
    plan: Plan,
    redact: Redact,
    *,
    behaviour: Behaviour | None,
    ca_bundle: Path | None,
    most_reads: int,
    notice: Callable[[str], None],
    memory: CredentialMemory,
) -> Sequence[JobService]:
    """As `open_lane_services`."""
    from runner.app.services import (  # noqa: PLC0415  brings aiohttp, which takes long to import
        Surroundings,
        open_lane_services,
    )

    around = Surroundings(environ, _home(environ), clock.wall)
    return await open_lane_services(
        stack,
        plan,
        redact,
        around,
        behaviour=behaviour,
        ca_bundle=ca_bundle,
        most_reads=most_reads,
        notice=notice,
        memory=memory,
    )


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run on uvloop where it is installed: it carries 1.3 to 1.8 times the requests per second."""
    try:
        import uvloop  # noqa: PLC0415  an extra
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)


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


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error to tell the user: one that we foresaw, if there is one, or else the bug itself."""
    error: BaseException = group.subgroup(RunnerError) or group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
