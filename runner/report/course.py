"""How a run went over time: servers by outcome, those at work, and what was used of its limits, at a few hundred moments."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner.model import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.rules.budget import Cell
    from runner.run.events import Event
    from runner.run.facts import Facts

_MOST = 400
_FIRST_STEP_S = 0.5
_CAMPAIGN = "campaign"


class CoursePoint(NamedTuple):
    """How a run stood at a time, epoch seconds: servers by `Outcome`, those at work, the use of limits."""

    at: float
    counts: tuple[int, ...]
    at_work: int
    used: tuple[int, ...]


class Course:
    """Gathered from the events of a run, each after the facts have taken it in.

    `limits` are those of the whole campaign, in the order of `CoursePoint.used`. A run has at most 400 moments,
    however long: where there are more, every second one is forgotten, and from then on they are twice as far apart.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        cells = facts.rollout.ledger.cells() if facts.rollout else ()
        self.limits: Sequence[Cell] = [cell for cell in cells if cell.limit.scope == _CAMPAIGN]
        self._moments: list[CoursePoint] = []
        self._step_s, self._next, self._last = _FIRST_STEP_S, 0.0, 0.0

    def take(self, event: Event) -> None:
        """Go on with the next event."""
        self._last = max(self._last, event.at)
        if event.at >= self._next:
            self._moments.append(self._now(event.at))
            if len(self._moments) > _MOST:
                del self._moments[1::2]
                length_s = self._moments[-1].at - self._moments[0].at
                self._step_s = max(2 * self._step_s, length_s / len(self._moments))
            self._next = event.at + self._step_s

    def moments(self) -> list[CoursePoint]:
        """All that are kept, and how it stands now; none of a run that nothing is known of."""
        return [*self._moments, self._now(self._last)] if self._moments else []

    def _now(self, at: float) -> CoursePoint:
        counts = self._facts.counts
        used = tuple(cell.spent + cell.in_flight for cell in self.limits)
        return CoursePoint(at, tuple(counts[outcome] for outcome in Outcome), self._facts.at_work, used)
