"""What a service asks for that is too long to wait for: a Retry-After of hours, a quota of a day that is used up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.rules.answers import Throttle


@dataclass(frozen=True, slots=True)
class TooLong:
    """The service wants to be left alone for longer than a lane waits: `in_s` seconds, or nobody knows how long.

    `is_limit`: it may be sooner. `quota` as in `Throttle`.
    """

    in_s: float | None
    quota: bool
    is_limit: bool = False


def too_long(throttle: Throttle, longest_pause_s: float) -> TooLong | None:
    """Whether it makes no sense to wait for what a throttled answer asks for. A spent quota is not waited for at all."""
    after_s = throttle.retry_after_s
    if throttle.quota:
        return TooLong(after_s or throttle.period_s, quota=True, is_limit=not after_s)
    return TooLong(after_s, quota=False) if after_s is not None and after_s > longest_pause_s else None
