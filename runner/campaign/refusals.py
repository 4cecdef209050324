"""What follows from a refusal: send again and when, never, or stop the lane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.campaign.answers import Cause

if TYPE_CHECKING:
    from runner.campaign.answers import Refused
    from runner.campaign.state import RunState

# Accounts get locked after more than five failed signatures in a row (api-facts 3.2).
UNAUTHENTICATED_LIMIT = 3
# A lane that has worked is given more tries before an outage stops it: with the longest delay, about ten minutes.
PATIENCE = 12
_FIRST_DELAY = {Cause.UNREACHABLE: 1.0, Cause.BUSY: 5.0, Cause.UNAUTHENTICATED: 1.0}
_LONGEST_DELAY = 60.0


def retry_at(state: RunState, request: int, refused: Refused, now: float, jitter: float) -> float | None:
    """When the request may be sent again, epoch seconds; None: never. `jitter` is random, from 0 to 1.

    A request whose lane stops (`lane_stops`) may always be sent again: a resumed run finds the lane mended.
    """
    if refused.cause is Cause.INVALID:
        return None
    attempts = state.attempts[request]
    if refused.cause is Cause.BUSY and attempts >= state.plan.submit.attempts:
        return None
    if refused.cause is Cause.UNUSABLE:
        return now
    delay = _FIRST_DELAY[refused.cause] * 2.0 ** min(attempts - 1, 16)
    return now + min(delay, _LONGEST_DELAY) * (0.5 + jitter)


def lane_stops(state: RunState, request: int, refused: Refused) -> bool:
    """Whether the refusal shows that no request of the lane can succeed. Asked before the refusal is recorded."""
    lane = state.lane_of(request)
    match refused.cause:
        case Cause.UNUSABLE:
            return True
        case Cause.UNAUTHENTICATED:
            return lane.unauthenticated_in_a_row + 1 >= UNAUTHENTICATED_LIMIT
        case Cause.UNREACHABLE:
            allowed = state.plan.submit.attempts + (PATIENCE if lane.accepted else 0)
            return state.attempts[request] >= allowed
        case _:
            return False
