"""How fast a run submitted, and how it was throttled, gathered from its events."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from runner.report.times import rfc3339
from runner.rules.answers import Cause
from runner.run import events as e

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.model import JsonObject
    from runner.run.facts import Facts


class _LanePace:
    def __init__(self) -> None:
        self.recent: deque[float] = deque()
        self.peak = 0
        self.paused_until = 0.0
        self.waited_s = 0.0


class SubmissionPace:
    """What the events say of submission."""

    def __init__(self, facts: Facts) -> None:
        self._lane_of = facts.lane_index
        self._lanes = [_LanePace() for _ in facts.lanes]
        self._throttled = 0
        self._sent = 0  # or may have been: intended, and not known to have stayed here
        self._first: float | None = None
        self._last: float | None = None

    def takers(self) -> dict[type, Callable[[Any], None]]:
        """What to call for each kind of event that it is told of."""
        return {
            e.Intended: self._intended,
            e.Lapsed: self._lapsed,
            e.Accepted: self.answered,
            e.Refused: self._refused,
            e.InDoubt: self.answered,
            e.Throttled: self._throttled_answer,
        }

    def answered(self, event: e.Accepted | e.Refused | e.InDoubt) -> None:
        """A create got its answer."""
        self._last = event.at

    def _lapsed(self, event: e.Lapsed) -> None:
        del event
        self._sent -= 1

    def _refused(self, event: e.Refused) -> None:
        self.answered(event)
        self._sent -= event.cause is Cause.UNREACHABLE

    def _throttled_answer(self, event: e.Throttled) -> None:
        self._last = event.at
        self._throttled += 1
        self._paused(event)

    def _intended(self, event: e.Intended) -> None:
        self._sent += 1
        self._first = event.at if self._first is None else self._first
        lane = self._lanes[self._lane_of(event.request)]
        lane.recent.append(event.at)
        while lane.recent[0] <= event.at - 1.0:
            lane.recent.popleft()
        lane.peak = max(lane.peak, len(lane.recent))

    def _paused(self, event: e.Throttled) -> None:
        lane = self._lanes[self._lane_of(event.request)]
        until = event.at + event.pause_s
        lane.waited_s += max(0.0, until - max(event.at, lane.paused_until))
        lane.paused_until = max(lane.paused_until, until)

    def throttling(self) -> JsonObject:
        """The report's part on throttling."""
        return {
            "throttled_answers": self._throttled,
            "waited_s": round(sum(lane.waited_s for lane in self._lanes), 3),
            "peak_creates_per_s": max((lane.peak for lane in self._lanes), default=0),
        }

    def submission(self) -> JsonObject | None:
        """The report's part on submission; None if nothing was sent."""
        if self._first is None:
            return None
        took = None if self._last is None else self._last - self._first
        return {
            "first_intended_at": rfc3339(self._first),
            "last_answered_at": rfc3339(self._last),
            "creates_sent": self._sent,
            "creates_per_s": round(self._sent / took, 1) if took else None,
        }
