"""Why a lane that has something to send sends nothing now. Asked a few times a second: it looks through no fleet."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from runner.rules.budget import NoRoom
from runner.run.admission import ClosedUntil, TooFewKnown
from runner.run.decide import slots, slots_taken
from runner.run.intake import is_past_deadline, listed_by
from runner.run.phases import Phase
from runner.run.waits import Typed, Wait, WaitKind
from runner.spec.rollout.limits import SETTABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.rules.budget import Cell
    from runner.run.dispatch import Dispatcher
    from runner.run.facts import Facts, LaneFacts
    from runner.run.sight import Sight

# So many full limits are named; of the others only that there are more.
_NAMED = 3
# The limit of each value of an expression: the value says all.
_PER = "per"


def doubt_waits(facts: Facts, now: float) -> Iterator[Wait]:
    """What is looked up: requests in doubt, what a process before sent, at the end second jobs, which may be listed late."""
    for index, lane in enumerate(facts.lanes):
        if lane.stopped is not None:
            continue
        if lane.unsurveyed_since is not None and (lane.unsubmitted or lane.excluded):
            what = "what was sent before the run was resumed is looked up"
            yield Wait(WaitKind.SURVEY, what, lane.unsurveyed_since, ends="the job list was read", lane=index)
        if lane.doubts:
            count, since = len(lane.doubts), min(doubt.since for doubt in lane.doubts.values())
            until = since + facts.plan.submit.settle_s
            who = "1 request is" if count == 1 else f"{count:,} requests are"
            yield Wait(
                WaitKind.DOUBT, f"{who} in doubt, looked up", since, until, "the list shows it or not", lane=index
            )
        elif not (lane.open or lane.unsubmitted or lane.in_flight) and now < listed_by(facts, lane):
            what = "a request that had no answer, or was refused, may have made another job"
            yield Wait(WaitKind.SURVEY, what, lane.doubted_at, listed_by(facts, lane), lane=index)


def lane_waits(facts: Facts, index: int, now: float, sight: Sight) -> Iterator[Wait]:
    """Why this lane sends nothing at `now`, but for what `doubt_waits`, the gates and persons say of all lanes."""
    lane = facts.lanes[index]
    if lane.stopped is not None:
        what = f"lane {facts.plan.lanes[index].label} stopped: {lane.stopped.message}"
        yield Wait(WaitKind.LANE, what, lane.stopped_at, ends="the run is resumed", lane=index)
        return
    if facts.over or not lane.unsubmitted:
        return
    if sight.is_blocked:
        yield Wait(WaitKind.LOCK, "the state folder is locked by another process", ends="it is free again", lane=index)
    if is_past_deadline(facts, now, now if sight.wall is None else sight.wall):
        what = "the deadline of the rollout has passed, and other lanes are looked up"
        yield Wait(WaitKind.SURVEY, what, ends="the job list was read", lane=index)
    elif lane.unsurveyed_since is None and not facts.is_waiting_for_person:
        asking = _Asking(facts, lane, index, now, sight)
        yield from asking.of_service()
        yield from asking.of_queue()


class _Asking(NamedTuple):
    """One question about one lane at one moment."""

    facts: Facts
    lane: LaneFacts
    place: int
    now: float
    sight: Sight

    def of_service(self) -> Iterator[Wait]:
        """What the service, or the way to it, lets through."""
        lane, seen = self.lane, self.sight.lane(self.place)
        if lane.unreachable_since is not None:
            until = lane.try_again_at if lane.try_again_at > self.now else None
            yield self._wait(WaitKind.OUTAGE, "the service cannot be reached", lane.unreachable_since, until)
        if seen.is_doubted and (seen.refused or lane.in_flight):
            refused = f"was refused {seen.refused:,} times in a row" if seen.refused else "is not proven to work"
            yield self._wait(WaitKind.CREDENTIAL, f"the credential {refused}: one call at a time", ends="one works")
        yield from self._rate(seen.slot_in_s)
        # What is intended ahead of an answer, beyond those that are sent at once, is no sign that anything moves.
        taken, most = slots_taken(lane), min(slots(self.facts, lane), self.facts.concurrency)
        if lane.in_flight and taken >= most:
            many = f"{taken:,} requests are on their way or in doubt"
            what = many if most > 1 else "1 request goes ahead of all others"
            yield self._wait(WaitKind.ANSWERS, what, self.facts.last_intent_at, ends="it is answered")

    def _rate(self, slot_in_s: float) -> Iterator[Wait]:
        slowed, seen = self.lane.slowed, self.sight.lane(self.place)
        if slowed is not None and (slowed.until > self.now or (slot_in_s > 0 and seen.rate != self.facts.rate)):
            rate = seen.rate if self.sight.lanes else slowed.rate
            limit = "" if rate is None else f", at {rate:.3g}/s from then on"
            until = max(slowed.until, self.now + slot_in_s)
            yield self._wait(WaitKind.THROTTLED, f"throttled by the service{limit}", slowed.at, until)
        elif slot_in_s > 0:
            rate = self.facts.rate if seen.rate is None else seen.rate
            what, choice = f"the pace is {rate:.3g}/s", ((Typed("set", "rate=N"),),)
            yield self._wait(WaitKind.PACE, what, until=self.now + slot_in_s)._replace(choices=choice)

    def of_queue(self) -> Iterator[Wait]:
        """What the requests that are ready wait for."""
        dispatcher = self.sight.dispatcher
        if dispatcher is None or slots_taken(self.lane) >= slots(self.facts, self.lane):
            return
        wall = self.now if self.sight.wall is None else self.sight.wall
        first: list[Cell] = []
        match dispatcher.in_the_way(self.place, self.now, wall):
            case NoRoom(cell=cell):
                first.append(cell)
            case ClosedUntil(at):
                never = math.isinf(at)
                until = None if never else at + self.now - wall
                what = "no window is long enough" if never else "no window is open"
                yield self._wait(WaitKind.WINDOW, what, until=until, ends="" if until else "a person decides")
            case TooFewKnown():
                what = "the wave grows with what is known of it"
                yield self._wait(WaitKind.EVIDENCE, what, ends="servers at work are over")
        yield from self._retries(dispatcher)
        yield from self._limits(list(dict.fromkeys([*first, *dispatcher.full_limits(_NAMED + 1)])))

    def _retries(self, dispatcher: Dispatcher) -> Iterator[Wait]:
        again_at = dispatcher.retries_at(self.place)
        busy = self._busy()
        yield from busy
        if again_at is not None and again_at > self.now and not busy:
            yield self._wait(WaitKind.RETRY, "requests that were refused are sent again", until=again_at)

    def _busy(self) -> list[Wait]:
        """Servers in another operation; `since` is not known until the service says so again after a resume."""
        facts = self.facts
        waiting = [r for r in facts.busy if facts.phases[r] is Phase.RETRY and facts.lane_index(r) == self.place]
        since = min((facts.busy[request].since for request in waiting), default=math.inf)
        if math.isinf(since):
            return []
        count = sum(len(facts.servers_of(request)) for request in waiting)
        who = "1 server is" if count == 1 else f"up to {count:,} servers are"
        next_at = min(facts.retry_at[request] for request in waiting)
        until = next_at if next_at > self.now else None
        return [self._wait(WaitKind.BUSY, f"{who} in another operation", since, until, "they are asked for again")]

    def _limits(self, full: Sequence[Cell]) -> Iterator[Wait]:
        if full:
            named = ", ".join(_use(cell) for cell in full[:_NAMED])
            more = " and more" if len(full) > _NAMED else ""
            raised = dict.fromkeys(cell.limit.name for cell in full if cell.limit.name in SETTABLE)
            choices = tuple((Typed("set", f"{name}=N"),) for name in raised)
            wait = self._wait(WaitKind.BUDGET, f"no room: {named}{more}", ends="servers at work are over")
            yield wait._replace(choices=choices)

    def _wait(
        self, kind: WaitKind, what: str, since: float | None = None, until: float | None = None, ends: str = ""
    ) -> Wait:
        return Wait(kind, what, since, until, ends, lane=self.place)


def _use(cell: Cell) -> str:
    """A limit that is full, with what is used of what is allowed."""
    name, scope = cell.limit.name, cell.limit.scope
    of = name if scope == "campaign" else scope if name == _PER else f"{name} of {scope}"
    return f"{of} {cell.spent + cell.in_flight:,}/{cell.most:,}"
