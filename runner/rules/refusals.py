"""What follows from a refusal: send again and when, never, or stop the lane."""

from __future__ import annotations

from runner.rules.answers import Cause

# Accounts get locked after more than five failed signatures in a row (api-facts 3.2).
UNAUTHENTICATED_LIMIT = 3
# How long a service that a lane never reached is tried, seconds: then its address, or the way there, is wrong.
NEVER_REACHED_S = 60.0
_FIRST_DELAY_S, _LONGEST_DELAY_S = 1.0, 60.0
# The longer an outage lasts, the longer the pauses between two tries: this share of what it lasted, within these, seconds.
_SHARE_OF_OUTAGE = 0.25
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 40.0


def retry_at(cause: Cause, *, attempts: int, now: float, jitter: float, outage_s: float = 0.0) -> float:
    """When a request may be sent again that was refused for nothing that it asks, epoch seconds.

    `attempts` counts this one. `jitter` is random, from 0 to 1. `outage_s` is how long the service has not been reached. A
    request whose lane stops (`lane_stops`) may always be sent again: a resumed run finds the lane mended.
    """
    if cause is Cause.UNUSABLE:
        return now
    if cause is Cause.UNREACHABLE:
        pause_s = max(_SHORTEST_PAUSE_S, min(_LONGEST_PAUSE_S, _SHARE_OF_OUTAGE * outage_s))
        return now + pause_s * (0.5 + jitter)
    delay = _FIRST_DELAY_S * 2.0 ** min(attempts - 1, 16)
    return now + min(delay, _LONGEST_DELAY_S) * (0.5 + jitter)


def lane_stops(cause: Cause, *, outage_s: float, patience_s: float, unauthenticated_in_a_row: int) -> bool:
    """Whether a refusal shows that no request of the lane can succeed.

    `outage_s` is how long the service has not been reached, `patience_s` how long that may be. `unauthenticated_in_a_row`
    counts this refusal, and reads of the lane, too.
    """
    match cause:
        case Cause.UNUSABLE:
            return True
        case Cause.UNAUTHENTICATED:
            return unauthenticated_in_a_row >= UNAUTHENTICATED_LIMIT
        case Cause.UNREACHABLE:
            return outage_s >= patience_s
        case _:
            return False
