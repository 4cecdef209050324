"""The simulated rate limit: so many calls in each fixed window of time, refused ones included."""

from __future__ import annotations


class ThrottleWindow:
    """Counts calls. `limit` is None for no limit."""

    def __init__(self, limit: int | None, period_s: float) -> None:
        self.limit = limit
        self.period_s = period_s
        self._began = 0.0
        self._count = 0

    def refuses(self, now: float) -> float | None:
        """Count a call; None if it may pass, else the seconds until the window is over."""
        if self.limit is None:
            return None
        if now >= self._began + self.period_s:
            self._began, self._count = now, 0
        self._count += 1
        return self._began + self.period_s - now if self._count > self.limit else None
