"""Whether a request that is ready may be let in: admission, not reaction.

Everything in flight is taken as lost. What does not fit now waits; what will never fit whole is split.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from runner.rules.budget import NoRoom
from runner.rules.ramp import allowance
from runner.rules.windows import next_opening

if TYPE_CHECKING:
    from runner.rules.windows import Opening
    from runner.run.facts import Facts
    from runner.run.waves import RolloutFacts
    from runner.spec.rollout.windows import Window

# To look through a year of windows takes long, and what was found holds for a while.
_NONE_FOR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Admitted:
    """It may be sent."""


@dataclass(frozen=True, slots=True)
class GroupHeld:
    """A person held its group."""

    group: int


@dataclass(frozen=True, slots=True)
class MustSplit:
    """There will never be room for it whole. `cut` is where its second half begins."""

    cut: int


@dataclass(frozen=True, slots=True)
class ClosedUntil:
    """No window is open before `at`, epoch seconds of the wall clock; infinity: none is long enough."""

    at: float


@dataclass(frozen=True, slots=True)
class TooFewKnown:
    """An adaptive wave waits for outcomes before it lets in more."""


Admission = Admitted | GroupHeld | MustSplit | ClosedUntil | TooFewKnown | NoRoom
ADMITTED = Admitted()


class _Asked(NamedTuple):
    need_s: float
    since: float


class OpeningsSeen:
    """Remembers which stretch of allowed time was found last: a year of windows takes long to look through."""

    def __init__(self) -> None:
        self._opening: Opening | None = None
        self._asked = _Asked(math.inf, math.inf)
        self._none: _Asked | None = None

    def closed(self, window: Window, need_s: float, wall: float) -> ClosedUntil | None:
        """Until when no window is open for a job that lasts `need_s`; None: one is. `wall` is the wall clock's time."""
        none = self._none
        if none is not None and need_s >= none.need_s and none.since <= wall < none.since + _NONE_FOR_S:
            return ClosedUntil(math.inf)
        opening = self._opening
        if opening is None or not self._first_after(opening, need_s, wall):
            opening = self._opening = next_opening(window, wall, need_s)
            self._asked = _Asked(need_s, wall)
        if opening is None:
            self._none = _Asked(need_s, wall)
            return ClosedUntil(math.inf)
        return ClosedUntil(opening.start) if opening.start > wall else None

    def _first_after(self, opening: Opening, need_s: float, wall: float) -> bool:
        """Whether it is the first from `wall` on: that is in it, or comes after it was looked for from an earlier time."""
        asked = self._asked
        since = asked.since if need_s == asked.need_s else opening.start
        return since <= wall <= opening.end - need_s


def admission(facts: Facts, request: int, openings: OpeningsSeen, wall: float) -> Admission:
    """Whether the request may be let in; `wall` is the wall clock's time now, epoch seconds."""
    entry = facts.requests.entries[request]
    if entry.group in facts.controls.held_groups:
        return GroupHeld(entry.group)
    rollout = facts.rollout
    if rollout is None:
        return ADMITTED
    if rollout.window is not None:
        closed = openings.closed(rollout.window, rollout.expected_s(entry.step), wall)
        if closed is not None:
            return closed
    return _room(facts, rollout, request) if facts.is_main(request) else ADMITTED


def _room(facts: Facts, rollout: RolloutFacts, request: int) -> Admission:
    positions = facts.positions_of(request)
    no_room = rollout.ledger.no_room(facts.requests.entries[request], positions)
    if no_room is None:
        return _adaptive(facts, rollout, request, len(positions))
    cut = facts.requests.cut_of(request) if no_room.for_good and no_room.parts_may_go else None
    return no_room if cut is None else MustSplit(cut)


def _adaptive(facts: Facts, rollout: RolloutFacts, request: int, servers: int) -> Admission:
    wave = rollout.waves[facts.requests.entries[request].wave]
    if wave.plan.growth is None or rollout.evidence is None:
        return ADMITTED
    most = allowance(rollout.evidence, wave.plan.growth)
    if servers + rollout.ledger.in_flight <= most:
        return ADMITTED
    cut = facts.requests.cut_of(request) if servers > most else None
    if cut is not None:
        return MustSplit(cut)
    return TooFewKnown() if rollout.ledger.in_flight else ADMITTED
