"""Numbers and times as a picture has them: as wide when they have grown as before."""

from __future__ import annotations

from runner.plan.estimate import duration_text
from runner.report.standing_text import clock_text

_WHOLE = 100


def number(count: int, most: int) -> str:
    """A count that may grow to `most`, as wide as that."""
    return f"{count:>{len(f'{most:,}')},}"


def timer(seconds: float) -> str:
    """A time that goes on: minutes and seconds, or hours before them."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def since_text(since: float | None, now: float) -> str:
    """Since when something is so, and for how long; empty where that is not known."""
    if since is None:
        return ""
    lasted = now - since
    steady = lasted if lasted < 60 else lasted // 60 * 60  # noqa: PLR2004  from a minute on the seconds say little
    return f"since {clock_text(since)}" + (f", {duration_text(float(round(steady)))}" if lasted >= 1 else "")


def rate_text(rate: float) -> str:
    """A rate a second, not more exact than it is of use."""
    return f"{rate:,.0f}/s" if rate >= _WHOLE else f"{rate:.3g}/s"
