"""What is ready to be done: the queues of a run. They always follow from the facts, and can be rebuilt from them.

Requests go in the order of the plan; a piece of one that was split goes where that stood. What follows a failure goes
before. A request that a limit has no room for waits there, and the next may pass it.

`follow` is called after every event. Entries are removed when they come up: one whose request does not stand as it did
when it was put there is skipped.
"""

from __future__ import annotations

import math
from heapq import heappop, heappush
from itertools import islice
from typing import TYPE_CHECKING

from runner.rules.budget import NoRoom
from runner.run.admission import ADMITTED, ClosedUntil, GroupHeld, MustSplit, OpeningsSeen, admission
from runner.run.decisions import Decision, LeaveOut, Send, SplitUp, WaitForEvent, WaitUntil
from runner.run.excluding import parting
from runner.run.lines import Line, Turn, Waits
from runner.run.phases import Phase

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.rules.budget import Cell
    from runner.run.admission import Admission
    from runner.run.facts import Facts

# How many that wait for room may try one after the other before a turn is kept.
_TRIES = 8
_WAIT = WaitForEvent()
# To look a member of an enumeration up is slow before Python 3.12, and this is asked of every request that moves.
_READY, _RETRY, _SENT = Phase.READY, Phase.RETRY, Phase.SENT


class Dispatcher:
    """The queues of a run, made from its facts as they are."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._lines = [Line() for _ in facts.lanes]
        self._lines_of_groups = [self._lines[group.lane] for group in facts.plan.groups]
        self._has_entry = bytearray(len(facts.phases))  # in a line, or where it waits
        self._waiting: dict[Cell, list[Waits]] = {}
        self._barred: dict[Cell, list[int]] = {}  # there will never be room for these
        self._held: dict[int, list[int]] = {}
        self._turns: dict[int, list[Turn]] = {}
        self._has_steps = len(facts.plan.steps) > 1  # only then servers are left behind
        self._openings = OpeningsSeen()
        self._barrier: Cell | None = None  # the limit for all that was found last to have no room, for good
        for request, phase in enumerate(facts.phases):
            if phase is _READY or phase is _RETRY:
                self._moved(request, phase)

    def follow(self) -> None:
        """Take in what the last event changed; the facts have taken it in already."""
        facts = self._facts
        for request in facts.moved:
            phase = facts.phases[request]
            if phase is _SENT:  # the way of most
                self._left_for_the_service(request)
            else:
                self._moved(request, phase)
        for cell in facts.freed:
            if cell in self._waiting:
                self._let_try(Turn(cell, _TRIES), max(cell.room, 1))
        if self._held:
            for group in self._held.keys() - facts.controls.held_groups:
                self._enter_again(self._held.pop(group))

    def next(self, lane: int, now: float, wall: float) -> Decision:
        """What the lane sends next, if it may send; those that wait for room of their own are passed over."""
        line = self._lines[lane]
        line.closed_until = None
        if line.retries:
            self._due_retries_are_ready(line, now)
        while (request := line.first()) is not None:
            if not self._may_go(request, now):
                self._drop(line, request)
                continue
            # Before it is asked whether there is room: those that are left out need none.
            parted = parting(self._facts, request)
            if parted is not None:
                return parted
            if self._has_steps and not self._facts.servers_of(request):
                return LeaveOut(request, "all its servers were left behind in an earlier step")
            if not self._facts.has_gates:
                return Send(request)
            admitted = admission(self._facts, request, self._openings, wall)
            if admitted is ADMITTED:
                return Send(request)
            decision = self._decision(line, request, admitted, now - wall)
            if decision is not None:
                return _or_retry(decision, line)
            line.pop()
            self._wait_elsewhere(request, admitted)
        return _or_retry(_WAIT, line)

    def is_in_window(self, request: int, wall: float) -> bool:
        """Whether a window is open that is long enough for the request; `wall` is the wall clock's time now."""
        rollout = self._facts.rollout
        if rollout is None or rollout.window is None:
            return True
        need_s = rollout.expected_s(self._facts.requests.entries[request].step)
        return self._openings.closed(rollout.window, need_s, wall) is None

    def try_all_again(self) -> None:
        """Let everything that waits for room try again: asked where a run would else wait for ever."""
        waiting, self._waiting = self._waiting, {}
        for those in waiting.values():
            self._enter_again([one.place.request for one in those])
        self._barrier = None
        for line in self._lines:
            line.closed_until = None

    @property
    def closed_until(self) -> float | None:
        """When the next window opens that a request waits for, wall clock; infinity: none ever; None: none is waited for."""
        return min((line.closed_until for line in self._lines if line.closed_until is not None), default=None)

    def in_the_way(self, lane: int, now: float, wall: float) -> Admission | None:
        """What keeps the request from going that is next on a lane; None: nothing of this kind, or there is none."""
        request = self._lines[lane].first()
        if request is None or not self._may_go(request, now) or not self._facts.has_gates:
            return None
        return admission(self._facts, request, self._openings, wall)

    def retries_at(self, lane: int) -> float | None:
        """When the next request of a lane that was refused may be sent again; None: there is none."""
        retries = self._lines[lane].retries
        return retries[0][0] if retries else None

    def full_limits(self, most: int) -> list[Cell]:
        """Up to so many of the limits that requests wait for which others may pass."""
        full = (
            cell
            for cell in self._waited_for()
            if cell in self._barred or any(waits.servers > cell.room for waits in self._waiting[cell][:1])
        )
        return list(islice(full, most))

    def limits_waited_for(self) -> list[Cell]:
        """The limits that have no room and that something waits for, the one that bars the way for all first."""
        waited = set(self._waited_for())
        cells = self._facts.rollout.ledger.cells() if self._facts.rollout else ()
        first = [] if self._barrier is None else [self._barrier]
        return first + [cell for cell in cells if cell in waited and cell is not self._barrier]

    def _waited_for(self) -> Iterator[Cell]:
        for cell, those in self._waiting.items():
            if any(self._is_unsent(waits.place.request) for waits in those):
                yield cell
        yield from (cell for cell, requests in self._barred.items() if any(map(self._is_unsent, requests)))

    def waiting(self) -> Iterator[int]:
        """Every request that has a place in a queue and may still be sent. One has no more than one place."""
        for line in self._lines:
            yield from filter(self._is_unsent, line.entries())
            yield from (p.request for at, p in line.retries if self._is_retry(p.request, at))
        for those in self._waiting.values():
            yield from filter(self._is_unsent, (one.place.request for one in those))
        for requests in (*self._barred.values(), *self._held.values()):
            yield from filter(self._is_unsent, requests)

    def _moved(self, request: int, phase: Phase) -> None:
        if request >= len(self._has_entry):
            self._has_entry.extend(bytes(request + 1 - len(self._has_entry)))
        if phase is _READY:
            if not self._has_entry[request]:
                self._enter(request)
        elif phase is _RETRY and not self._has_entry[request]:  # where it has, it comes here as that is dropped
            entry = (self._facts.retry_at[request], self._facts.requests.in_line(request))
            heappush(self._line_of(request).retries, entry)
        elif phase is Phase.IN_DOUBT:
            self._left_for_the_service(request)
        elif self._turns:
            self._pass_on(request)

    def _left_for_the_service(self, request: int) -> None:
        """It is sent, or was found to have been: its turns are used, and its entry is the first of its line, as a rule."""
        if self._turns:
            self._turns.pop(request, None)
        line = self._line_of(request)
        if line.first() == request:
            line.pop()
            self._has_entry[request] = False

    def _enter(self, request: int) -> None:
        line, requests = self._line_of(request), self._facts.requests
        self._has_entry[request] = True
        if requests.is_follow_up(request):
            heappush(line.follow_ups, request)
        elif requests.is_planned(request) and (not line.planned or line.planned[-1] < request):
            line.planned.append(request)
        else:
            heappush(line.others, requests.in_line(request))

    def _enter_again(self, requests: Sequence[int]) -> None:
        for request in requests:
            self._has_entry[request] = False
            if self._is_unsent(request):
                self._enter(request)

    def _drop(self, line: Line, request: int) -> None:
        """Remove the first entry: it is sent, or is not to be sent now."""
        line.pop()
        self._has_entry[request] = False
        if self._facts.phases[request] is _RETRY:  # the clock was set back: it is not due any more
            self._moved(request, _RETRY)

    def _due_retries_are_ready(self, line: Line, now: float) -> None:
        while line.retries:
            at, place = line.retries[0]
            is_retry = self._is_retry(place.request, at)
            if is_retry and at > now:
                return
            heappop(line.retries)
            if is_retry and not self._has_entry[place.request]:
                self._enter(place.request)

    def _decision(self, line: Line, request: int, admitted: Admission, wall_is_behind_s: float) -> Decision | None:
        """None: the request waits for something of its own, and the next one may be looked at."""
        match admitted:
            case NoRoom(for_all=False) | GroupHeld():
                return None
            case MustSplit(cut):
                return SplitUp(request, cut)
            case ClosedUntil(at):
                line.closed_until = at
                return _WAIT if math.isinf(at) else WaitUntil(at + wall_is_behind_s)
            case NoRoom(cell=cell, for_good=True):
                self._barrier = cell
        return _WAIT

    def _wait_elsewhere(self, request: int, admitted: Admission) -> None:
        if isinstance(admitted, NoRoom) and not admitted.for_good:
            waits = Waits(self._facts.requests.in_line(request), admitted.servers)
            heappush(self._waiting.setdefault(admitted.cell, []), waits)
            # Where it waited before there is room; but not at its own limit: the next that ends there lets others try.
            self._pass_on(request, full=admitted.cell)
            return
        if isinstance(admitted, NoRoom):
            self._barred.setdefault(admitted.cell, []).append(request)
        elif isinstance(admitted, GroupHeld):
            self._held.setdefault(admitted.group, []).append(request)
        self._pass_on(request)

    def _let_try(self, turn: Turn, room: int) -> None:
        """Let requests try again, in the order of the plan: as many as there is `room` for, and one at least."""
        waiting = self._waiting.get(turn.cell)
        while waiting and room > 0:
            place, servers = heappop(waiting)
            self._has_entry[place.request] = False
            if self._is_unsent(place.request):
                self._enter(place.request)
                self._turns.setdefault(place.request, []).append(turn)
                room -= servers if servers <= room else 1

    def _pass_on(self, request: int, full: Cell | None = None) -> None:
        """A request that was let try does not go: the next may, but not where it is `full`: what ends there lets it.

        One that waits for `full` may keep its turn elsewhere, and passes it on if it never goes: where many wait for two
        limits, each turn would move them all from one queue to the other.
        """
        turns = self._turns.pop(request, None)
        if not turns:
            return
        kept = [turn for turn in turns if full is not None and turn.cell is not full and not turn.tries]
        if kept:
            self._turns[request] = kept
        for turn in turns:
            if turn.cell is not full and turn not in kept:
                self._let_try(turn if full is None else Turn(turn.cell, turn.tries - 1), 1)

    def _line_of(self, request: int) -> Line:
        return self._lines_of_groups[self._facts.requests.entries[request].group]

    def _is_unsent(self, request: int) -> bool:
        phase = self._facts.phases[request]
        return phase is _READY or phase is _RETRY

    def _is_retry(self, request: int, at: float) -> bool:
        facts = self._facts
        return facts.phases[request] is _RETRY and facts.retry_at[request] == at

    def _may_go(self, request: int, now: float) -> bool:
        phase = self._facts.phases[request]
        return phase is _READY or (phase is _RETRY and self._facts.retry_at[request] <= now)


def _or_retry(decision: Decision, line: Line) -> Decision:
    """What waits, waits no longer than for the next request that may be sent again: it may go before, and need no room."""
    if not line.retries or not isinstance(decision, WaitForEvent | WaitUntil):
        return decision
    again_at = line.retries[0][0]
    return WaitUntil(min(again_at, decision.at) if isinstance(decision, WaitUntil) else again_at)
