"""Every request of a run: those of the plan, the pieces of those that were split, and what follows failures.

A request that a limit has no room for is split in two, and its pieces again if need be. Each piece and each follow-up has
a number that is fixed by the plan, by where it is cut and not by when: so the name of its job can be told from the plan
alone, and a job is found again even if the journal lost the entry that made the piece.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from runner.plan.plan import PlannedRequest
from runner.plan.rollout.limits import unit_starts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.model import Server
    from runner.plan.plan import Plan


class Piece(NamedTuple):
    """A request that the plan does not have, by its number: the place where it was cut off, or the server it follows."""

    step: int
    group: int
    position: int
    is_follow_up: bool


class InLine(NamedTuple):
    """Where a request stands among all, in the order of the plan; a piece stands where the request stood that was split."""

    planned: int
    start: int
    request: int


class RequestTable:
    """Requests by their place: first those of the plan, then others in the order in which they came to be.

    `entries` are all of them; `pieces` tells of those that were split into which two.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.entries: list[PlannedRequest] = list(plan.requests)
        self._planned = len(self.entries)
        self._numbers: list[int] = []  # of those beyond the plan
        self._places: dict[int, int] = {}  # by number, of those beyond the plan
        self._offsets = [0, *accumulate(len(group.servers) for group in plan.groups)]
        self._starts = unit_starts(plan)
        self.pieces: dict[int, tuple[int, int]] = {}
        self._planned_of: dict[int, int] = {}  # of pieces

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, request: int) -> PlannedRequest:
        return self.entries[request]

    def servers_of(self, request: int) -> Sequence[Server]:
        """The servers that the request is for, as planned."""
        entry = self.entries[request]
        return self._plan.groups[entry.group].servers[entry.start : entry.stop]

    def number_of(self, request: int) -> int:
        """The number that the request's key is made from."""
        return request if request < self._planned else self._numbers[request - self._planned]

    def place_of(self, number: int) -> int | None:
        """The request of a number; None if there is no such request yet."""
        return number if number < self._planned else self._places.get(number)

    def is_follow_up(self, request: int) -> bool:
        """Whether the request was made for a server that failed."""
        return request >= self._planned and self.number_of(request) >= self._first_follow_up

    def cut_of(self, request: int) -> int | None:
        """Where to split: the start of a unit that is nearest the middle, a position in the group; None: it cannot be."""
        entry = self.entries[request]
        middle = (entry.start + entry.stop) // 2
        if self._starts is None:
            return middle if entry.stop - entry.start > 1 else None
        starts = self._starts[entry.group]
        cuts = [position for position in range(entry.start + 1, entry.stop) if starts[position]]
        return min(cuts, key=lambda position: (abs(position - middle), position), default=None)

    def units_of(self, request: int) -> list[Sequence[Server]]:
        """The servers of the request, as planned, in parts that are never parted."""
        servers, first = self.servers_of(request), self.entries[request].start
        if self._starts is None:
            return [servers[place : place + 1] for place in range(len(servers))]
        starts = self._starts[self.entries[request].group]
        begins = [place for place in range(len(servers)) if starts[first + place] or not place]
        return [servers[begin:stop] for begin, stop in zip(begins, [*begins[1:], len(servers)], strict=True)]

    def split(self, request: int, cut: int) -> tuple[int, int]:
        """Put two pieces in the place of a request; `cut` is where the second one begins."""
        entry = self.entries[request]
        number = self._planned + 2 * self._global(entry, cut)
        pieces = self._add(entry._replace(stop=cut), number), self._add(entry._replace(start=cut), number + 1)
        self.pieces[request] = pieces
        self._planned_of |= dict.fromkeys(pieces, self._planned_of.get(request, request))
        return pieces

    def in_line(self, request: int) -> InLine:
        """Where the request stands in the order of the plan."""
        return InLine(self._planned_of.get(request, request), self.entries[request].start, request)

    def is_planned(self, request: int) -> bool:
        """Whether the plan has it as it is, so that its place is its order."""
        return request < self._planned

    def follow_up(self, step: int, group: int, position: int, body: Mapping[str, object], wave: int) -> int:
        """Add a request of a step for one server of a group."""
        entry = PlannedRequest(step, group, position, position + 1, body, wave)
        return self._add(entry, self.follow_up_number(group, position))

    def follow_up_number(self, group: int, position: int) -> int:
        """The number that a request has, or would have, that follows the failure of a server."""
        return self._first_follow_up + self._offsets[group] + position

    def piece(self, number: int) -> Piece | None:
        """What a number beyond the plan stands for; None if it cannot be one of this plan's."""
        beyond = number - self._planned
        servers = self._offsets[-1]
        if beyond < 0 or not servers:
            return None
        is_follow_up = number >= self._first_follow_up
        place = number - self._first_follow_up if is_follow_up else beyond // 2
        step, in_step = divmod(place, servers)
        if is_follow_up and step:
            return None
        group = bisect_right(self._offsets, in_step) - 1
        return Piece(step, group, in_step - self._offsets[group], is_follow_up)

    def numbers_of_pieces(self, request: int) -> list[int]:
        """The numbers that pieces of the request, and pieces of those, may come to have."""
        entry, planned = self.entries[request], self._planned
        cuts = (self._global(entry, position) for position in range(entry.start + 1, entry.stop))
        return [planned + 2 * cut + side for cut in cuts for side in (0, 1)]

    def numbers_of_follow_ups(self, request: int) -> list[int]:
        """The numbers that requests may come to have that follow failures of this request's servers."""
        entry = self.entries[request]
        return [self.follow_up_number(entry.group, place) for place in range(entry.start, entry.stop)]

    @property
    def _first_follow_up(self) -> int:
        return self._planned + 2 * len(self._plan.steps) * self._offsets[-1]

    def _global(self, entry: PlannedRequest, position: int) -> int:
        return entry.step * self._offsets[-1] + self._offsets[entry.group] + position

    def _add(self, entry: PlannedRequest, number: int) -> int:
        place = len(self.entries)
        self.entries.append(entry)
        self._numbers.append(number)
        self._places[number] = place
        return place
