"""What a process sees of its run beside the facts: the queues, the clock on the wall, and what its lanes can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from runner.run.dispatch import Dispatcher


class LaneSight(NamedTuple):
    """How a lane stands now: calls per second that it keeps to (None: no limit), seconds until the next slot.

    `is_doubted`: it is not proven that the service takes its credential, so calls go one at a time; `refused` of them were
    in a row.
    """

    rate: float | None = None
    slot_in_s: float = 0.0
    is_doubted: bool = False
    refused: int = 0


class Sight(NamedTuple):
    """What one process sees now. `wall` is the wall clock's time, epoch seconds; `lanes` as in the plan.

    `is_blocked`: another process has the state folder. Of a run of another process only what the facts tell is seen.
    """

    dispatcher: Dispatcher | None = None
    wall: float | None = None
    lanes: tuple[LaneSight, ...] = ()
    is_blocked: bool = False

    def lane(self, index: int) -> LaneSight:
        """What is seen of a lane."""
        return self.lanes[index] if self.lanes else LaneSight()


UNSEEN = Sight()
"""Nothing but the facts."""
