"""Who owns a run: one process at a time. What a process is, and whether it is certainly gone.

A pid means something on one machine only, and in one pid namespace of it: containers of one pod share the host name and
each has a process 1. So a machine is named by the boot and the pid namespace (namespaces(7)), beside the host name.
"""

from __future__ import annotations

import os
import socket
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

# Linux counts the time that the machine sleeps here; elsewhere there may be nothing better than the other one.
_COUNTS_SLEEP = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Owner(NamedTuple):
    """A process that has a run open.

    `process_start` is when it started, in clock ticks since boot (field 22 of /proc/PID/stat, proc(5)), which tells it
    from a later process with the same pid; 0 where the system does not say. `token` is unique to one opening.
    `machine` is the boot and the pid namespace in which the pid means something; empty: not known.
    """

    host: str
    pid: int
    process_start: int
    token: str
    machine: str = ""


class Moment(NamedTuple):
    """A time that nobody can set: seconds by a clock that only runs forward, and which clock that is; empty: not known."""

    clock: str
    at: float


def this_process(token: str) -> Owner:
    """The calling process as an owner. `token` is random, from the caller's one source of randomness."""
    pid = os.getpid()
    start = _start(_stat(pid)) if _sees_own_processes() else None
    return Owner(socket.gethostname(), pid, start or 0, token, this_machine())


def this_machine() -> str:
    """The boot and the pid namespace of the calling process; empty where the system does not say."""
    boot, namespace = _boot(), _namespace("pid")
    return f"{boot} pid:{namespace}" if boot and namespace else ""


@cache
def this_clock() -> str:
    """Which clock `moment` reads: that of a boot, moved by the time namespace (time_namespaces(7)); empty: not known."""
    boot = _boot()
    return f"{boot} time:{_namespace('time') or 0}" if boot else ""


def moment() -> Moment:
    """Now, by a clock that goes on while the machine sleeps: a process that slept with it may have been replaced."""
    return Moment(this_clock(), time.clock_gettime(_COUNTS_SLEEP))


def is_alive(owner: Owner) -> bool | None:
    """Whether the owner's process still runs; None when that cannot be told.

    It cannot where the owner is on another machine, in another pid namespace, or in a /proc that hides it.
    """
    machine = this_machine()
    if not machine or (owner.host, owner.machine) != (socket.gethostname(), machine):
        return None
    if not _exists(owner.pid):
        return False
    stat = _stat(owner.pid) if _sees_own_processes() else None
    if stat is None or not owner.process_start:
        return None
    return _start(stat) == owner.process_start


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        return ""


def _namespace(kind: str) -> int | None:
    try:
        return Path(f"/proc/self/ns/{kind}").stat().st_ino
    except OSError:
        return None


def _sees_own_processes() -> bool:
    """Whether /proc is that of our pid namespace: in a new one it is not, until it is mounted anew."""
    try:
        return Path("/proc/self").readlink().name == str(os.getpid())
    except OSError:
        return False


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it is somebody else's
        return True
    return True


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third on; None when there is none: it is gone, or hidden (hidepid)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field is the command in parentheses and may itself hold spaces and parentheses.
    return stat.rpartition(")")[2].split()


def _start(stat: list[str] | None) -> int | None:
    """When a process started, in clock ticks since boot; None for one that has ended (a zombie)."""
    return None if not stat or stat[0] in "ZX" else int(stat[19])
