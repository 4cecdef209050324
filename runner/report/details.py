"""What a report tells beside the facts: the service's own words on each job, and how fast requests went out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runner.report.course import Course
from runner.report.decisions import DecisionLog
from runner.report.outages import OutageLog
from runner.report.pace import SubmissionPace
from runner.report.times import rfc3339
from runner.run import events as e

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.model import Job, JsonObject
    from runner.report.jobs import Reading
    from runner.run.facts import Facts


class LostSight(NamedTuple):
    """Why a job was not seen to end: what was seen of it, when last (epoch seconds)."""

    at: float
    reason: str


class Details:
    """Collected from the events of a run, each after the facts have taken it in."""

    def __init__(self, facts: Facts) -> None:
        self.jobs: dict[int, Job] = {}
        self.lost: dict[int, LostSight] = {}
        self.display_lost: str | None = None
        self.signals_lost: list[JsonObject] = []
        self.decisions = DecisionLog(facts)
        self.pace = SubmissionPace(facts)
        self.outages = OutageLog(facts)
        self.course = Course(facts)
        self.readings: dict[int, Reading] = {}
        self._take: dict[type, Callable[[Any], None]] = {
            **self.pace.takers(),
            **self.decisions.takers(),
            **self.outages.takers(),
            e.Accepted: self._accepted,
            e.Adopted: self._job,
            e.JobRead: self._job,
            e.Settled: self._settled,
            e.GivenUp: self._given_up,
            e.DisplayLost: self._display_lost,
            e.SignalLost: self._signal_lost,
            e.RunResumed: self._resumed,
        }

    def take(self, event: e.Event) -> None:
        """Go on with the next event."""
        self.course.take(event)
        take = self._take.get(type(event))
        if take is not None:
            take(event)

    def _accepted(self, event: e.Accepted) -> None:
        self.jobs[event.request] = event.job
        self.pace.answered(event)

    def _settled(self, event: e.Settled) -> None:
        if event.reason:
            self.lost[event.request] = LostSight(event.at, event.reason)
        if event.reads or event.failures is not None:
            self.readings[event.request] = (event.reads, event.failures)

    def _given_up(self, event: e.GivenUp) -> None:
        if event.failures is not None:
            self.readings[event.request] = (None, event.failures)

    def _display_lost(self, event: e.DisplayLost) -> None:
        self.display_lost = event.reason

    def _signal_lost(self, event: e.SignalLost) -> None:
        lost = {"at": rfc3339(event.at), "hook": event.hook, "event": event.event, "reason": event.reason}
        self.signals_lost.append(lost)

    def _resumed(self, _: e.RunResumed) -> None:
        self.display_lost = None  # the next process has a display of its own

    def _job(self, event: e.Adopted | e.JobRead) -> None:
        self.jobs[event.request] = event.job
