"""What a report tells beside the facts: the service's own words on each job, and how fast requests went out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.report.decisions import DecisionLog
from runner.report.pace import SubmissionPace
from runner.run import events as e

if TYPE_CHECKING:
    from runner.model import Job
    from runner.run.facts import Facts


class Details:
    """Collected from the events of a run, each after the facts have taken it in."""

    def __init__(self, facts: Facts) -> None:
        self.jobs: dict[int, Job] = {}
        self.decisions = DecisionLog(facts)
        self.pace = SubmissionPace(facts)

    def take(self, event: e.Event) -> None:
        """Go on with the next event."""
        if isinstance(event, e.Accepted | e.Adopted | e.JobRead):
            self.jobs[event.request] = event.job
        self.pace.take(event)
        self.decisions.take(event)
