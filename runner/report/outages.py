"""Calls that fail: what a person is told of them while they do, and what a report keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.plan.estimate import duration_text
from runner.report.jobs import error_part
from runner.report.standing_text import clock_text
from runner.report.times import rfc3339
from runner.run import events as e
from runner.run.outages import AfterThat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runner.model import JsonObject
    from runner.rules.answers import ServiceError
    from runner.run.facts import Facts

_THEN = {
    AfterThat.LANE_STOPS: "the lane stops, and the run can be resumed",
    AfterThat.GIVEN_UP: "a request in doubt is given up",
    AfterThat.TIMED_OUT: "the servers of a job count as timed out",
}


def failing_lines(facts: Facts) -> Iterator[str]:
    """A line for each lane whose calls fail, as far as they are still made."""
    for lane, label in zip(facts.lanes, facts.plan.lanes, strict=True):
        if lane.failing is not None and (lane.stopped is None or lane.watched):
            name = f" ({label.label})" if len(facts.lanes) > 1 else ""
            event = lane.failing
            yield f"calls fail{name}: {failing_text(event)}: {error_text(event.error)}; {waiting_text(event)}"


def failing_text(event: e.CallsFailing) -> str:
    """How many fail, and since when; and what cannot be done meanwhile."""
    counts = (
        _count(event.jobs, "job cannot be read", "jobs cannot be read"),
        _count(event.doubts, "request in doubt cannot be looked up", "requests in doubt cannot be looked up"),
        "no request gets through" if event.creates else "",
    )
    cannot = ", ".join(filter(None, counts)) or "the job list cannot be read"
    return f"{since_text(event.since, event.at)}, {event.failed:,} failed; {cannot}"


def since_text(since: float, at: float) -> str:
    """Since when something lasts, and how long that is."""
    return f"since {clock_text(since)}, for {duration_text(at - since)}"


def waiting_text(event: e.CallsFailing) -> str:
    """Until when it is tried, and what comes after."""
    return f"tried until {clock_text(event.until)}, then {_THEN[AfterThat(event.then)]}"


def error_text(error: ServiceError) -> str:
    """An error in one line, as a person wants it."""
    code = " ".join(str(part) for part in (error.http_status and f"HTTP {error.http_status}", error.code) if part)
    return f"{code}: {error.message}" if code else error.message


def _count(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}" if count else ""


class OutageLog:
    """Gathered from the events of a run: each time that calls of a lane failed for a while."""

    def __init__(self, facts: Facts) -> None:
        self._labels = [lane.label for lane in facts.plan.lanes]
        self._last: dict[int, JsonObject] = {}
        self.outages: list[JsonObject] = []

    def takers(self) -> dict[type, Callable[[Any], None]]:
        """What to call for each kind of event that it is told of."""
        return {e.CallsFailing: self._failing, e.CallsWorking: self._working}

    def _failing(self, event: e.CallsFailing) -> None:
        outage = self._last.get(event.lane)
        since = rfc3339(event.since)
        if outage is None or outage["since"] != since:
            outage = self._last[event.lane] = {"lane": self._labels[event.lane], "since": since, "over_at": None}
            self.outages.append(outage)
        outage |= {"told_at": rfc3339(event.at), "failed": event.failed, "error": error_part(event.error)}

    def _working(self, event: e.CallsWorking) -> None:
        outage = self._last.pop(event.lane)
        outage |= {"over_at": rfc3339(event.at), "failed": event.failed}
