"""Moments as the headers of answers tell them."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOLERATED_S = (
    300.0  # a signature may be a quarter of an hour off (api-facts 3.2); nobody's clock should be by a third of it
)
_SHORTEST_IN_HOURS_S = 7200.0


def header_time(value: str | None) -> float | None:
    """Epoch seconds of a date in a header; None where it is none."""
    try:
        return None if value is None else parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None


def clock_skew(headers: Mapping[str, str], now: float) -> str:
    """In words, how far the clock that says `now`, epoch seconds, is from that of an answer; empty where it is near."""
    theirs = header_time(headers.get("Date"))
    if theirs is None or abs(theirs - now) <= _TOLERATED_S:
        return ""
    off_s = abs(theirs - now)
    off = f"{off_s / 3600:.0f} hours" if off_s >= _SHORTEST_IN_HOURS_S else f"{off_s / 60:.0f} minutes"
    return f"the clock of this machine is {off} {'behind' if theirs > now else 'ahead of'} that of the service: set it right"
