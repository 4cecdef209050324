"""What follows from a refusal: send again and when, never, or stop the lane."""

from __future__ import annotations

from runner.rules.answers import Cause

# Accounts get locked after more than five failed signatures in a row (api-facts 3.2).
UNAUTHENTICATED_LIMIT = 3
# A lane that has worked is given more tries before an outage stops it: with the longest delay, about ten minutes.
PATIENCE = 12
_FIRST_DELAY = {Cause.UNREACHABLE: 1.0, Cause.BUSY: 5.0, Cause.UNAUTHENTICATED: 1.0}
_LONGEST_DELAY = 60.0


def retry_at(cause: Cause, *, attempts: int, allowed: int, now: float, jitter: float) -> float | None:
    """When a refused request may be sent again, epoch seconds; None: never.

    `attempts` counts this one; `allowed` is `submit.attempts`. `jitter` is random, from 0 to 1. A request whose lane stops
    (`lane_stops`) may always be sent again: a resumed run finds the lane mended.
    """
    if cause is Cause.INVALID or (cause is Cause.BUSY and attempts >= allowed):
        return None
    if cause is Cause.UNUSABLE:
        return now
    delay = _FIRST_DELAY[cause] * 2.0 ** min(attempts - 1, 16)
    return now + min(delay, _LONGEST_DELAY) * (0.5 + jitter)


def lane_stops(cause: Cause, *, attempts: int, allowed: int, has_worked: bool, unauthenticated_in_a_row: int) -> bool:
    """Whether a refusal shows that no request of the lane can succeed.

    `has_worked`: the lane took a request before. `unauthenticated_in_a_row` counts this refusal, and reads of the lane, too.
    """
    match cause:
        case Cause.UNUSABLE:
            return True
        case Cause.UNAUTHENTICATED:
            return unauthenticated_in_a_row >= UNAUTHENTICATED_LIMIT
        case Cause.UNREACHABLE:
            return attempts >= allowed + (PATIENCE if has_worked else 0)
        case _:
            return False
