"""Who owns a run: one process at a time."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import NamedTuple


class Owner(NamedTuple):
    """A process that has a run open.

    `process_start` is when it started, in clock ticks since boot (field 22 of /proc/PID/stat, proc(5)), which tells it
    from a later process with the same pid; 0 where the system does not say. `token` is unique to one opening.
    """

    host: str
    pid: int
    process_start: int
    token: str


def this_process(token: str) -> Owner:
    """The calling process as an owner. `token` is random, from the caller's one source of randomness."""
    pid = os.getpid()
    return Owner(socket.gethostname(), pid, process_start(pid) or 0, token)


def process_start(pid: int) -> int | None:
    """When a process of this host started, in clock ticks since boot; None when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field is the command in parentheses and may itself hold spaces and parentheses.
    after_command = stat.rpartition(")")[2].split()
    return None if after_command[0] in "ZX" else int(after_command[19])


def is_alive(owner: Owner) -> bool | None:
    """Whether the owner still runs; None when that cannot be told: it is on another host, or there is no /proc."""
    if owner.host != socket.gethostname() or not Path("/proc/self/stat").exists():
        return None
    return process_start(owner.pid) == owner.process_start
