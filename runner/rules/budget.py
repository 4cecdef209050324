"""The budgets of a rollout, kept before the fact: what is in flight counts as lost, so no limit can be broken later.

Each limit has a cell that counts the servers spent (abnormal, or skipped) and those in flight. A request is let in only if
every cell of its servers has room for all of them.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from runner.plan.rollout.limits import DomainTable, Limit, campaign_limits, domain_tables, part_limits
from runner.plan.rollout.model import PlannedBudget
from runner.spec.rollout.limits import Counted, Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runner.plan.plan import Plan, PlannedRequest


_REMEMBERED = 512


class LimitUse(NamedTuple):
    """A limit and what is used of it: servers spent and in flight, of at most `allowed`."""

    limit: Limit
    spent: int
    in_flight: int
    allowed: int

    def __str__(self) -> str:
        limit = self.limit
        scope = "" if limit.scope == "campaign" else f" of {limit.scope}"
        flying = f" and {self.in_flight} in flight" if self.in_flight else ""
        used = f"{self.spent} {limit.counts}{flying}"
        return f"{limit.name}{scope}: {used}, at most {self.allowed} of {limit.total} servers"


class Cell:
    """One limit and what was used of it. `peak` is the most that was spent and in flight at once."""

    __slots__ = ("in_flight", "limit", "most", "peak", "spent")

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.most = limit.most
        self.spent = 0
        self.in_flight = 0
        self.peak = 0

    @property
    def room(self) -> int:
        """How many servers more may be let in now."""
        return self.most - self.spent - self.in_flight

    @property
    def room_for_good(self) -> int:
        """How many servers may be let in once nothing is in flight, as things stand."""
        return self.most - self.spent

    @property
    def use(self) -> LimitUse:
        """How much of it is used now."""
        return LimitUse(self.limit, self.spent, self.in_flight, self.most)


class NoRoom(NamedTuple):
    """Why a request is not let in. `for_good`: not even once nothing is in flight. `for_all`: nor is any other one.

    `servers` are those of it that count in the cell. `parts_may_go`: some of them might be let in without the others.
    """

    cell: Cell
    servers: int
    for_good: bool
    for_all: bool
    parts_may_go: bool


class Need(NamedTuple):
    """How many servers of a request count in a cell; `for_all`: as all servers do."""

    cell: Cell
    servers: int
    for_all: bool


class Ledger:
    """The cells of a plan. Servers are named by group and position in it."""

    def __init__(self, plan: Plan) -> None:
        budget = PlannedBudget() if plan.rollout is None else plan.rollout.budget
        total = sum(len(group.servers) for group in plan.groups)
        waves = [] if plan.rollout is None else [(f"wave {wave.name}", wave.servers) for wave in plan.rollout.waves]
        groups = [(f"group {group.name}", len(group.servers)) for group in plan.groups]
        self._campaign = list(map(Cell, campaign_limits(budget, total)))
        self._waves = [list(map(Cell, limits)) for limits in part_limits(budget, Scope.WAVE, waves)]
        self._for_all = [self._campaign + [cells[wave] for cells in self._waves] for wave in range(len(waves))]
        self._groups = [list(map(Cell, limits)) for limits in part_limits(budget, Scope.GROUP, groups)]
        self._domains = [_Domains(table) for table in domain_tables(plan)]
        self.in_flight = 0
        # A request is asked about again and again: until it is let in, and twice more.
        self._needs_of = lru_cache(maxsize=_REMEMBERED)(self._find_needs)

    def cells(self) -> Iterator[Cell]:
        """All of them, the general ones first."""
        yield from self._campaign
        yield from chain(*self._waves, *self._groups)
        for domains in self._domains:
            yield from domains.cells

    def for_all(self, wave: int) -> Sequence[Cell]:
        """Those that are about every server of a wave."""
        return self._for_all[wave]

    def domains(self) -> Sequence[Cell]:
        """The cells of the first limit for each value of an expression, such as for each rack; none without one."""
        return self._domains[0].cells if self._domains else ()

    def domain_of(self, group: int, position: int) -> Cell | None:
        """The cell among `domains` that a server counts in."""
        return self._domains[0].cell_of(group, position) if self._domains else None

    def for_campaign(self) -> Sequence[Cell]:
        """Those that are about all servers."""
        return self._campaign

    def cell(self, name: str) -> Cell | None:
        """The campaign-wide cell of a limit."""
        return next((cell for cell in self._campaign if cell.limit.name == name), None)

    def no_room(self, request: PlannedRequest, positions: Sequence[int]) -> NoRoom | None:
        """What keeps the servers at these positions from being let in together; None: nothing.

        What will not pass by itself is told before what will.
        """
        found: NoRoom | None = None
        for cell, count, for_all in self._needs(request, positions):
            room_for_good = cell.most - cell.spent
            if count > room_for_good:
                parts_may_go = room_for_good > 0 or count < len(positions)
                return NoRoom(cell, count, for_good=True, for_all=for_all, parts_may_go=parts_may_go)
            if found is None and count > room_for_good - cell.in_flight:
                found = NoRoom(cell, count, for_good=False, for_all=for_all, parts_may_go=True)
        return found

    def reserve(self, request: PlannedRequest, positions: Sequence[int]) -> None:
        """The servers are in flight from here on."""
        self.in_flight += len(positions)
        for cell, count, _ in self._needs(request, positions):
            cell.in_flight += count
            cell.peak = max(cell.peak, cell.in_flight + cell.spent)

    def give_back(self, request: PlannedRequest, positions: Sequence[int]) -> list[Cell]:
        """They are not any more. Returns the cells that they were counted in, which have room again."""
        self.in_flight -= len(positions)
        freed = []
        for cell, count, _ in self._needs(request, positions):
            cell.in_flight -= count
            freed.append(cell)
        return freed

    def spend(self, request: PlannedRequest, abnormal: Sequence[int], skipped: Sequence[int]) -> None:
        """Servers at these positions ended so."""
        for positions, counts_skipped in ((abnormal, False), (skipped, True)):
            for cell, count, _ in self._needs(request, positions) if positions else ():
                if (cell.limit.counts is Counted.SKIPPED) is counts_skipped:
                    cell.spent += count
                    cell.peak = max(cell.peak, cell.in_flight + cell.spent)

    def _needs(self, request: PlannedRequest, positions: Sequence[int]) -> Sequence[Need]:
        return self._needs_of(
            request.group, request.wave, positions if isinstance(positions, range) else tuple(positions)
        )

    def _find_needs(self, group: int, wave: int, positions: Sequence[int]) -> Sequence[Need]:
        count = len(positions)
        needs = [Need(cell, count, for_all=True) for cell in self._for_all[wave]]
        needs += [Need(cells[group], count, for_all=False) for cells in self._groups]
        for domains in self._domains:
            needs += domains.needs(group, positions)
        return needs


class _Domains:
    def __init__(self, table: DomainTable) -> None:
        self._places = table.places
        self.cells = [Cell(limit) for limit in table.limits]

    def cell_of(self, group: int, position: int) -> Cell | None:
        place = self._places[group][position]
        return None if place is None else self.cells[place]

    def needs(self, group: int, positions: Iterable[int]) -> Iterator[Need]:
        places = self._places[group]
        counts: dict[int, int] = {}
        for position in positions:
            place = places[position]
            if place is not None:
                counts[place] = counts.get(place, 0) + 1
        for place, count in counts.items():
            yield Need(self.cells[place], count, for_all=False)
