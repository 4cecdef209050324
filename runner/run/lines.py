"""Where requests stand that are ready: in the line of their lane, or waiting for room at a limit."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from heapq import heappop
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.rules.budget import Cell
    from runner.run.requests import InLine


class Turn(NamedTuple):
    """There is room at a limit, and a request may try; if it waits elsewhere then, `tries` more may."""

    cell: Cell
    tries: int


class Waits(NamedTuple):
    """A request that waits for room at a limit, for so many servers as it last had there."""

    place: InLine
    servers: int


@dataclass(slots=True)
class Line:
    """The requests of one lane that are ready: what follows failures as a heap, and the others in the order of the plan.

    `planned` are requests of the plan that came in its order, so that a fleet's worth of them is numbers, and the next is
    one look away; `others`, a heap, came later than those behind them. `retries` are those that were refused, by when they
    may be sent again. `closed_until` is when the window opens that the first one waits for, wall clock.
    """

    follow_ups: list[int] = field(default_factory=list)
    planned: deque[int] = field(default_factory=deque)
    others: list[InLine] = field(default_factory=list)
    retries: list[tuple[float, InLine]] = field(default_factory=list)
    closed_until: float | None = None

    def first(self) -> int | None:
        """The request that is next, as far as the entries tell."""
        if self.planned and not self.others and not self.follow_ups:  # the way of most
            return self.planned[0]
        if self.follow_ups:
            return self.follow_ups[0]
        if self.others and (not self.planned or self.others[0].planned < self.planned[0]):
            return self.others[0].request
        return self.planned[0] if self.planned else None

    def entries(self) -> Iterator[int]:
        """All but the retries."""
        yield from self.follow_ups
        yield from self.planned
        yield from (place.request for place in self.others)

    def pop(self) -> None:
        """Remove the entry of `first`."""
        if self.follow_ups:
            heappop(self.follow_ups)
        elif self.others and (not self.planned or self.others[0].planned < self.planned[0]):
            heappop(self.others)
        else:
            self.planned.popleft()
