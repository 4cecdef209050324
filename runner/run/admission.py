"""Whether a request that is ready may be let in: admission, not reaction.

Everything in flight is taken as lost. What does not fit now waits; what will never fit whole is split.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from runner.rules.ramp import allowance
from runner.rules.windows import next_opening
from runner.run.facts import pass_on
from runner.run.waves import NoWindow

if TYPE_CHECKING:
    from runner.rules.budget import Blocked
    from runner.run.facts import Facts
    from runner.run.waves import RolloutFacts


# To look through a year of windows takes long, and what was found holds for a while.
_NO_WINDOW_FOR_S = 3600.0


class Simple(Enum):
    """What there is no more to say about."""

    ADMITTED = "admitted"
    PARKED = "parked"  # waits elsewhere; others may be let in before it
    WAIT = "wait"  # nothing can be let in before something in flight is over
    NEVER = "never"  # as things stand: there is no room left, or no window that is long enough


@dataclass(frozen=True, slots=True)
class MustSplit:
    """There will never be room for it whole. `cut` is where its second half begins."""

    cut: int


@dataclass(frozen=True, slots=True)
class ClosedUntil:
    """No window is open before `at`, epoch seconds."""

    at: float


Admission = Simple | MustSplit | ClosedUntil


def admission(state: Facts, request: int, now: float) -> Admission:
    """Whether the request may be let in at `now`. A request that is parked is put there by this question."""
    group = state.requests.entries[request].group
    if group in state.controls.held_groups:
        state.parked.setdefault(group, []).append(request)
        pass_on(state, request)
        return Simple.PARKED
    rollout = state.rollout
    if rollout is None:
        return Simple.ADMITTED
    closed = _window(rollout, state.requests.entries[request].step, now)
    if closed is not None:
        return closed
    return _room(state, rollout, request) if state.is_main(request) else Simple.ADMITTED


def expected_s(rollout: RolloutFacts, step: int) -> float:
    """How long a job of a step is expected to last, seconds: by those seen, or as the plan says."""
    window = rollout.rules.window
    seen = rollout.durations[step].quantile(1.0 if window is None else window.cutoff)
    return rollout.rules.expected_s[step] if seen is None else seen


def _window(rollout: RolloutFacts, step: int, now: float) -> Admission | None:
    rollout.closed_until = None
    if rollout.window is None:
        return None
    need_s = expected_s(rollout, step)
    no_window = rollout.no_window
    if (
        no_window is not None
        and need_s >= no_window.need_s
        and no_window.since <= now < no_window.since + _NO_WINDOW_FOR_S
    ):
        rollout.closed_until = math.inf
        return Simple.NEVER
    opening = rollout.opening
    if opening is None or not opening.start <= now <= opening.end - need_s:
        opening = rollout.opening = next_opening(rollout.window, now, need_s)
    if opening is None:
        rollout.no_window = NoWindow(need_s, now)
        rollout.closed_until = math.inf
        return Simple.NEVER
    if opening.start > now:
        rollout.closed_until = opening.start
        return ClosedUntil(opening.start)
    return None


def _room(state: Facts, rollout: RolloutFacts, request: int) -> Admission:
    entry, positions = state.requests.entries[request], state.positions_of(request)
    blocked = rollout.ledger.blocked(entry, positions)
    if blocked is None:
        return _adaptive(state, rollout, request, len(positions))
    if blocked.for_good:
        return _split_or(state, request, blocked)
    if blocked.for_all:
        return Simple.WAIT
    return _park(state, request, blocked)


def _adaptive(state: Facts, rollout: RolloutFacts, request: int, servers: int) -> Admission:
    wave = rollout.waves[state.requests.entries[request].wave]
    if wave.plan.growth is None or rollout.evidence is None:
        return Simple.ADMITTED
    most = allowance(rollout.evidence, wave.plan.growth)
    if servers + rollout.ledger.in_flight <= most:
        return Simple.ADMITTED
    cut = state.requests.cut_of(request) if servers > most else None
    if cut is not None:
        return MustSplit(cut)
    return Simple.WAIT if rollout.ledger.in_flight else Simple.ADMITTED


def _split_or(state: Facts, request: int, blocked: Blocked) -> Admission:
    cut = state.requests.cut_of(request)
    if cut is not None and blocked.parts_may_go:
        return MustSplit(cut)
    if not blocked.for_all:
        return _park(state, request, blocked)
    if state.rollout is not None:
        state.rollout.barrier = blocked.cell
    return Simple.NEVER


def _park(state: Facts, request: int, blocked: Blocked) -> Admission:
    cell = blocked.cell
    (cell.stuck if blocked.for_good else cell.parked).append(request)
    # Where it waited before there is room; but at its own limit, which is full: a landing there will wake the next.
    pass_on(state, request, full=None if blocked.for_good else cell)
    return Simple.PARKED
