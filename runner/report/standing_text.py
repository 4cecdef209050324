"""How a run stands, in lines for a person: what it waits for, what comes next, how long it takes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runner.plan.estimate import duration_text
from runner.run.waits import WaitKind

if TYPE_CHECKING:
    from runner.rules.time_left import TimeLeft
    from runner.run.standing import Standing, Upcoming
    from runner.run.waits import Wait

# A slot of the rate that is nearer than this, seconds, is no wait that anybody sees.
_SEEN_S = 1.0
# Below so many seconds an estimate is rounded to so many.
_STEPS, _LARGEST = ((60, 1), (600, 10), (7200, 60)), 600


def standing_lines(found: Standing, run_id: str) -> list[str]:
    """Each wait in a line, with what to type; then what comes next, and how long that takes."""
    lines = list(dict.fromkeys(wait_line(wait, run_id) for wait in told_waits(found)))  # lanes may wait for the same
    if found.upcoming is not None:
        left = f"; {left_text(found.left)}" if found.left is not None else ""
        lines.append(f"next: {upcoming_text(found.upcoming)}{left}")
    return lines


def told_waits(found: Standing) -> list[Wait]:
    """The waits that a person would see."""
    return [wait for wait in found.waits if wait.kind is not WaitKind.PACE or (wait.until or 0.0) - found.at > _SEEN_S]


def wait_line(wait: Wait, run_id: str) -> str:
    """What is waited for, what to type, since and until when."""
    commands, when = wait.commands(run_id), when_text(wait)
    return wait.what + (f": {commands}" if commands else "") + (f" ({when})" if when else "")


def when_text(wait: Wait) -> str:
    """Since when something is waited for, and until when, or until what."""
    until = clock_text(wait.until) if wait.until is not None else wait.ends
    since = f"since {clock_text(wait.since)}" if wait.since is not None else ""
    return ", ".join(filter(None, (since, f"until {until}" if until else "")))


def upcoming_text(upcoming: Upcoming) -> str:
    """What comes next, and when."""
    *before, last = upcoming.what
    chain = f"{', '.join(before)}, then {last}" if before else last
    at = f" at {clock_text(upcoming.at)}" if upcoming.at is not None else ""
    return f"{chain}, when {upcoming.trigger}{at}"


def left_text(left: TimeLeft) -> str:
    """How long it still takes, with the spread where there is one."""
    low, likely, high = (duration_text(_rounded(seconds)) for seconds in left)
    return f"about {likely} left" + (f" ({low} to {high})" if low != high else "")


def _rounded(seconds: float) -> float:
    """An estimate is not told more exactly than it is known."""
    step = next((step for below, step in _STEPS if seconds < below), _LARGEST)
    return round(seconds / step) * step


def clock_text(at: float) -> str:
    """A moment of the run, by the clock in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S} UTC"
