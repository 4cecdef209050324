"""Whether a limit leaves room for next to nothing, so that what is left would go one by one for hours."""

from __future__ import annotations

from typing import NamedTuple

# With less than a tenth of what could be in flight, and for longer than this, seconds, a run crawls.
_SHARE = 10
_LONG_S = 3600.0


class Crawl(NamedTuple):
    """What is left would go so many servers at a time, and take so long, seconds."""

    room: int
    servers: int
    takes_s: float


def narrow_room(at_once: int) -> int:
    """Up to how much room a limit may slow a run to a crawl in which so many servers could be in flight."""
    return at_once // _SHARE


def crawl(room: int, servers: int, at_once: int, expected_s: float) -> Crawl | None:
    """Whether `servers` that are left would crawl through the `room` of a limit; None: they would not.

    `at_once` is how many servers could be in flight without the limit; `expected_s` how long a job is expected to last. A
    limit without any room is no matter of this.
    """
    if not 0 < room <= narrow_room(min(at_once, servers)):
        return None
    takes_s = -(-servers // room) * expected_s
    return Crawl(room, servers, takes_s) if takes_s >= _LONG_S else None
