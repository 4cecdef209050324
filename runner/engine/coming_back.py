"""A service that wants to be left alone for longer than a lane waits: the lane stops, and says when to come back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from runner.plan.estimate import duration_text
from runner.rules.throttle import too_long

if TYPE_CHECKING:
    from runner.engine.lane import LaneContext
    from runner.rules.answers import ServiceError, Throttle
    from runner.rules.throttle import TooLong


def why_to_stop(lane: LaneContext, error: ServiceError, throttle: Throttle | None) -> ServiceError | None:
    """What to stop the lane with where a throttled answer asks for more than it waits for; None where it does not."""
    longest_s = lane.run.plan.submit.longest_pause_s
    asked = None if throttle is None else too_long(throttle, longest_s)
    if asked is None:
        return None
    return replace(error, message=f"{advice(asked, lane.clock.wall(), longest_s)}; the service says: {error.message}")


def advice(asked: TooLong, wall: float, longest_s: float) -> str:
    """When to come back, in the machine's own time; `wall` is epoch seconds."""
    what = "a quota of the service is used up"
    if not asked.quota:
        what = f"the service wants to be left alone for {duration_text(asked.in_s or 0.0)}, "
        what += f"which is longer than `submit.longest_pause` ({duration_text(longest_s)})"
    if asked.in_s is None:
        return f"{what}, and it does not say until when: go on tomorrow, or ask who looks after the account"
    try:
        moment = datetime.fromtimestamp(round(wall + asked.in_s), UTC).astimezone()
    except (ValueError, OverflowError, OSError):
        return f"{what}: there is no such moment in any calendar, so ask who looks after the account"
    return f"{what}: go on at {_text(moment)}{' at the latest' if asked.is_limit else ''}"


def _text(moment: datetime) -> str:
    zone = "" if moment.utcoffset() == timedelta(0) else f" (UTC{moment.isoformat()[-6:]})"
    return f"{moment:%Y-%m-%d %H:%M:%S} {moment:%Z}{zone}"
