"""This process as the host of a run: its clock, its environment, its event loop, its signals.

What a host can do is imported when it is done: `runner plan` needs the time and the environment alone.
"""

from __future__ import annotations

import os
import pwd
import random
import resource
import socket
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from runner.app.host import Host
from runner.engine.clock import SystemClock
from runner.errors import RunnerError
from runner.files import writing
from runner.journal.owner import this_process
from runner.plain import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from contextlib import AbstractContextManager, AsyncExitStack
    from datetime import tzinfo

    from runner.app.hooks import Sender
    from runner.app.host import Interrupts, Redact
    from runner.engine.ports import Checker, JobService, ListService, MachineClock
    from runner.engine.refusals import CredentialMemory
    from runner.journal.store import RunStore
    from runner.model import Lane
    from runner.plan.plan import Plan
    from runner.simulator.behaviour import Behaviour

T = TypeVar("T")

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
        open_store=_open_store,
        open_services=partial(_open_services, environ, clock),
        open_lists=partial(_open_lists, environ, clock),
        open_checker=partial(_open_checker, environ),
        open_sender=partial(_open_sender, environ),
        interrupts=_interrupts,
        files=writing,
        run_loop=run_loop,
        zone=partial(_zone, environ),
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


def _open_store(state_dir: Path) -> AbstractContextManager[RunStore]:
    from runner.app.listing import open_store

    return open_store(state_dir)


def _open_checker(environ: Mapping[str, str], redact: Redact, ca_bundle: Path | None) -> Checker:
    from runner.app.checking import LocalChecker

    return LocalChecker(redact, ca_bundle, env=environ)


def _open_sender(environ: Mapping[str, str], redact: Redact, ca_bundle: Path | None) -> Sender:
    from runner.app.sending import LocalSender

    return LocalSender(redact, ca_bundle, env=environ)


def _interrupts() -> AbstractContextManager[Interrupts]:
    from runner.app.signals import Signals

    return Signals()


def _zone(environ: Mapping[str, str]) -> tzinfo | None:
    from runner.app.zone import local_zone

    return local_zone(environ)


def _person() -> str:
    import getpass

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
    from runner.app.services import Surroundings, open_lane_services

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


async def _open_lists(
    environ: Mapping[str, str],
    clock: MachineClock,
    stack: AsyncExitStack,
    lanes: Sequence[Lane],
    redact: Redact,
    *,
    ca_bundle: Path | None,
    timeout_s: float,
    memory: CredentialMemory,
) -> Sequence[tuple[Lane, ListService]]:
    """As `open_lists`."""
    from runner.app.services import Surroundings, open_lists

    around = Surroundings(environ, _home(environ), clock.wall)
    return await open_lists(stack, lanes, redact, around, ca_bundle=ca_bundle, timeout_s=timeout_s, memory=memory)


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run on uvloop where it is installed: it carries 1.3 to 1.8 times the requests per second."""
    try:
        import uvloop
    except ImportError:
        import asyncio

        return asyncio.run(main)
    return uvloop.run(main)


def _is_no_bug(error: BaseException) -> bool:
    return not isinstance(error, Exception | BaseExceptionGroup)


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error to tell the user: one that we foresaw, if there is one, or who ended it all, or else the bug itself."""
    error: BaseException = group.subgroup(RunnerError) or group.subgroup(_is_no_bug) or group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
