"""Waiting for what nobody tells of: a journal that another process writes, a file that a program makes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_LONGEST_S = 120.0
_EVERY_S = 0.1


def eventually(look: Callable[[], T | None], longest_s: float = _LONGEST_S) -> T:
    """What `look` finds once it finds something; it is asked now and again, and on a busy machine for long."""
    until = time.monotonic() + longest_s
    while not (found := look()):
        assert time.monotonic() < until, f"not within {longest_s:g} s"
        time.sleep(_EVERY_S)
    return found
