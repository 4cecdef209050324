"""Whoever looks on while nothing happens is told why, and it is so: by what this counts itself."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace

from runner.engine.run import RunEngine
from runner.run.facts import Facts
from runner.run.phases import Phase
from runner.run.standing import Standing
from runner.run.waits import Wait, WaitKind
from tests.engine.rollout_promises import RolloutPromises
from tests.engine.virtual import VirtualClock

# A machine may sleep while something falls due: how often a run looks up, seconds.
_LOOKS_EVERY_S = 61.0
# To write to a slow disk a few times in a row, or to take the next slot of a fast rate, is no wait to explain, seconds.
_LONGEST_S = 2.0
# How often it is looked at, seconds.
_LOOKED_AT_S = 0.4
# A machine that waits for a window sleeps until so long before it, seconds.
_SLEEPS_UNTIL_S = 3600.0
# Moments of the day are to the microsecond.
_ROUNDING_S = 1e-3
_READY = {Phase.READY, Phase.RETRY}


class Explanations:
    """Looks on whenever time passes. Of waits that are `hidden` it is not told.

    With `sleeps_through` the machine sleeps where all wait for a window that may be months off.
    """

    def __init__(self) -> None:
        self.hidden: Collection[WaitKind] = ()
        self.sleeps_through = False
        self._since_look_s = self._same_for_s = 0.0
        self._quiet_s, self._changes = math.inf, (0.0, 0.0)
        self._overdue_s: dict[tuple[WaitKind, int | None, float], float] = {}
        self._unexplained: dict[tuple[int, int], tuple[str, float]] = {}

    def check(self, engine: RunEngine, rollout: RolloutPromises | None, clock: VirtualClock, seconds: float) -> None:
        """Nothing is done for so long. Short times are added up, so that a story is not mostly made of this."""
        self._since_look_s += seconds
        if self._since_look_s < _LOOKED_AT_S:
            return
        seconds, self._since_look_s = self._since_look_s, 0.0
        self._same_for_s -= seconds
        if self._same_for_s > 0.0 and clock.changes == self._changes:
            self._quiet_s += seconds
            return
        facts, found = engine.live.facts, engine.look()
        found = replace(found, waits=tuple(wait for wait in found.waits if wait.kind not in self.hidden))
        if facts.started_at is None or facts.ended is not None or facts.stop_reason is not None:
            return
        self._quiet_s = self._quiet_s + seconds if clock.changes == self._changes else 0.0
        self._changes = clock.changes
        _check_counts(facts, found)
        for wait in found.waits:
            _check_true(facts, found, wait, rollout)
            if wait.until is not None and wait.until < found.at - 1e-3 and wait.kind is not WaitKind.DOUBT:
                overdue = self._overdue_s[wait.kind, wait.lane, wait.until] = (
                    self._overdue_s.get((wait.kind, wait.lane, wait.until), 0.0) + seconds
                )
                assert overdue <= _LOOKS_EVERY_S, f"{wait} is over"
        for lane in range(len(facts.lanes)):
            unexplained = _unexplained(facts, found, lane)
            key = (id(facts), lane)
            before, before_s = self._unexplained.get(key, ("", 0.0))
            # Where others are ready by now, some went: that is another wait.
            waited_s = (before_s if before == unexplained else 0.0) + seconds if unexplained else 0.0
            most_s = _LONGEST_S if self._quiet_s > _LOOKS_EVERY_S else _LOOKS_EVERY_S
            assert waited_s <= most_s, f"lane {lane} waits {waited_s} s, and nobody can say why: {unexplained}"
            self._unexplained[key] = unexplained, waited_s
        windows = [wait.until for wait in found.waits if wait.kind is WaitKind.WINDOW and wait.until is not None]
        if self.sleeps_through and windows and not facts.is_anything_open and not facts.is_waiting_for_person:
            clock.suspend(max(0.0, min(windows) - found.at - _SLEEPS_UNTIL_S))
        if not any(waited_s for _, waited_s in self._unexplained.values()) and not self._overdue_s:
            self._same_for_s = min(
                (wait.until - found.at for wait in found.waits if wait.until is not None and wait.until > found.at),
                default=math.inf,
            )

    def recorded(self) -> None:
        """Something happened: what was found is found again, perhaps otherwise."""
        self._same_for_s = 0.0


def _check_counts(facts: Facts, found: Standing) -> None:
    """Every server is in one place, and those at work are those of jobs that are open."""
    at_work = sum(len(facts.servers_of(r)) for lane in facts.lanes for r in lane.open if facts.is_main(r))
    assert found.servers.at_work == at_work
    over, total = sum(facts.counts.values()), found.servers.total
    assert found.servers.over == over
    assert over + at_work + found.servers.unanswered + found.servers.not_reached >= total


def _unexplained(facts: Facts, found: Standing, lane: int) -> str:
    """A lane that could send has a wait of its own, or a person is waited for; empty: it has."""
    own = [wait for wait in found.waits if wait.lane == lane]
    if facts.lanes[lane].stopped is not None:
        assert [wait.kind for wait in own] == [WaitKind.LANE]
        return ""
    if facts.over:
        return ""
    if facts.is_waiting_for_person:
        return (
            ""
            if {WaitKind.PAUSE, WaitKind.HOLD} & {wait.kind for wait in found.waits}
            else "a person must say something"
        )
    held = facts.controls.held_groups
    ready = [
        request
        for request, phase in enumerate(facts.phases)
        if phase in _READY and facts.lane_index(request) == lane and facts.requests[request].group not in held
    ]
    if ready:
        return "" if own else f"requests {ready[:5]} are ready"
    is_explained = found.waits or facts.is_anything_open or not facts.lanes[lane].unsubmitted
    return "" if is_explained else "something is left to send, and nothing happens"


def _check_true(facts: Facts, found: Standing, wait: Wait, rollout: RolloutPromises | None) -> None:
    """What is said is so."""
    if wait.since is not None:
        assert wait.since <= found.at + 1e-3, f"{wait} begins later"
    match wait.kind:
        case WaitKind.PAUSE | WaitKind.HOLD | WaitKind.GROUP | WaitKind.APPROVAL:
            assert wait.choices
            assert rollout is None or rollout.waits_for_person(wait.kind)
        case WaitKind.DOUBT:
            assert wait.lane is not None
            assert facts.lanes[wait.lane].doubts
        case WaitKind.WINDOW | WaitKind.BUDGET:
            assert rollout is not None
            assert wait.lane is not None
            opens_now = wait.until is not None and wait.until - found.at < _ROUNDING_S
            assert opens_now or rollout.keeps_back(wait.kind, wait.lane), f"{wait} keeps nothing back"
        case _:
            pass
