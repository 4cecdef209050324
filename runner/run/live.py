"""A run at work: what is true of it and what is ready, kept in step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.run.decide import decide
from runner.run.dispatch import Dispatcher
from runner.run.evolve import evolve
from runner.run.gate import next_step
from runner.run.sight import Sight

if TYPE_CHECKING:
    from runner.run.decisions import Decision
    from runner.run.events import Event
    from runner.run.facts import Facts
    from runner.run.gate import GateStep, Patience


class LiveRun:
    """The facts of a run with its queues. What happens to it is told to `apply`, and to nothing else."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.dispatcher = Dispatcher(facts)

    def apply(self, event: Event) -> None:
        """Make the event true.

        Raises:
            ImpossibleEvent: it cannot have happened.
        """
        evolve(self.facts, event)
        self.dispatcher.follow()

    def decide(self, lane: int, now: float, wall: float | None = None) -> Decision:
        """What a lane does next. `wall` is what the wall clock shows, where that is not `now`."""
        return decide(self.facts, self.dispatcher, lane, now, now if wall is None else wall)

    def sight(self, now: float, wall: float | None = None) -> Sight:
        """What is seen of the run by whoever has no lanes at work: what each would do next. `wall` as above."""
        for lane in range(len(self.facts.lanes)):
            self.decide(lane, now, wall)
        return Sight(self.dispatcher, now if wall is None else wall)

    def next_step(self, now: float, patience: Patience, wall: float | None = None) -> GateStep:
        """What the gate of a rollout does next. `wall` as above."""
        return next_step(self.facts, self.dispatcher, now, now if wall is None else wall, patience)
