"""What a run leaves to the next one of what it learned of a limit: a rate, and when it was known."""

from __future__ import annotations

import math
from dataclasses import dataclass

# For so long it is taken as it is; after that it is only a hint, which is no longer one at last: seconds.
_GOOD_FOR_S = 86_400.0
_HINT_FOR_S = 30 * 86_400.0
# A hint says that there is a limit, and of what size: a lane begins at so many times it.
_HINT = 2.0


@dataclass(frozen=True, slots=True)
class Learned:
    """Calls of one kind per second that a lane was let through at; `at` is epoch seconds."""

    rate: float
    at: float

    def text(self) -> str:
        """To be kept."""
        return f"{self.rate!r} {self.at!r}"


def read_learned(text: str | None) -> Learned | None:
    """What was kept; None where nothing was, or not by this program: it is only a help."""
    try:
        rate, at = map(float, (text or "").split())
    except ValueError:
        return None
    return Learned(rate, at) if math.isfinite(rate) and math.isfinite(at) and rate > 0 else None


def begins_at(learned: Learned | None, asked: float, wall: float) -> float | None:
    """The rate for a lane to begin at, below what is asked for; None: at that. `wall` is epoch seconds."""
    if learned is None:
        return None
    age_s = wall - learned.at
    if age_s > _HINT_FOR_S:
        return None
    rate = learned.rate if 0 <= age_s <= _GOOD_FOR_S else _HINT * learned.rate
    return rate if rate < asked else None
