"""What a throttled answer says of the limit: the policy text of the gateway and Retry-After (api-facts 5)."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from runner.api.dates import header_time
from runner.rules.answers import Throttle

if TYPE_CHECKING:
    from collections.abc import Mapping

# "... over ratelimit,limit:10,time:1 minute": the facts show braces around alternatives, so they are let pass.
_POLICY = re.compile(
    r"limit\s*[:=]\s*(?P<limit>\d{1,9})\s*,\s*time\s*[:=]\s*\{?\s*(?P<count>\d{1,6})?\s*(?P<unit>second|minute|hour|day)",
    re.IGNORECASE,
)
_UNIT_S = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
_DAY_S = 86400.0
# The same code tells of a quota that is used up (api-facts 5). The word alone may be about a rate, too.
_OF_A_DAY = re.compile(r"daily|\b(?:per|a|each) day\b", re.IGNORECASE)
_QUOTA = re.compile(r"quota", re.IGNORECASE)
_RATE = re.compile(r"\brate\b|\b(?:per|a|each) (?:second|minute|hour)\b", re.IGNORECASE)


def read_throttle(message: str, headers: Mapping[str, str], now: float, code: str | None = None) -> Throttle:
    """The limit and period of the service's message and its Retry-After, in seconds from `now` (epoch seconds).

    A limit or a period of nothing says nothing: it is left out, so that no rate is ever derived from it.
    """
    limit, period = _policy(message)
    return Throttle(
        limit=limit,
        period_s=period,
        retry_after_s=retry_after(headers, now),
        quota=_is_quota(period, f"{code or ''} {message}"),
    )


def _is_quota(period_s: float | None, said: str) -> bool:
    if period_s is not None:
        return period_s >= _DAY_S
    return bool(_OF_A_DAY.search(said) or (_QUOTA.search(said) and not _RATE.search(said)))


def _policy(message: str) -> tuple[int | None, float | None]:
    found = _POLICY.search(message)
    if found is None:
        return None, None
    limit = int(found["limit"])
    period = int(found["count"] or 1) * _UNIT_S[found["unit"].lower()]
    return (limit, period) if limit and period else (None, None)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """The Retry-After of an answer, in seconds from `now` (epoch seconds); None where there is none that can be read.

    A date counts from the answer's own, where it has one: a clock of theirs, or ours, may be wrong.
    """
    value = headers.get("Retry-After")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        until, answered_at = header_time(value), header_time(headers.get("Date"))
        return None if until is None else max(0.0, until - (now if answered_at is None else answered_at))
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
