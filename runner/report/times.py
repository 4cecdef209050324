"""Times in reports: RFC 3339 in UTC, to the millisecond."""

from __future__ import annotations

import math
from functools import lru_cache
from time import gmtime, strftime

# Reports tell of many moments of the same few minutes, and of each of a job's servers the same two.
_KEPT = 4096


@lru_cache(_KEPT)
def rfc3339(at: float | None) -> str | None:
    """Epoch seconds as text; None stays None. Rounded to the microsecond, as `datetime` does, and cut."""
    if at is None:
        return None
    fraction, whole = math.modf(at)
    micros = round(fraction * 1e6)
    seconds, micros = divmod(int(whole) * 1_000_000 + micros, 1_000_000)
    return f"{_second(seconds)}.{micros // 1000:03d}Z"


@lru_cache(_KEPT)
def _second(seconds: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(seconds))
