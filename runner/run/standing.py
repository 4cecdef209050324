"""How a run stands, for every view: what it does, why it waits, what comes next, how long it takes, what to type.

A question to the facts, and to what a process sees beside them. It costs as much as there are lanes, waves, groups and
open waits, however many servers there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from runner.run.lane_waits import doubt_waits, lane_waits
from runner.run.person_waits import person_waits
from runner.run.remaining import remaining, unanswered_servers
from runner.run.sight import UNSEEN
from runner.run.waits import Wait, WaitKind
from runner.run.waves import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.rules.time_left import TimeLeft
    from runner.run.facts import Facts
    from runner.run.sight import Sight
    from runner.run.waves import WaveFacts


class RunPhase(StrEnum):
    """What a run does, in one word for a person."""

    STARTING = "starting"
    AT_WORK = "at work"  # something is on its way, or a job is at work
    WAITING = "waiting"  # for time to pass, or a person
    WATCHING = "watching"  # nothing new is sent, what is at work is watched
    STOPPING = "stopping"
    ENDED = "ended"


class Upcoming(NamedTuple):
    """What comes next, in order, and what triggers it: in words, and at which time where that is known."""

    what: tuple[str, ...]
    trigger: str
    at: float | None = None


class ServerCounts(NamedTuple):
    """Servers as a run goes on: over, at work, on their way or in doubt, and not reached yet."""

    total: int
    over: int
    at_work: int
    unanswered: int
    not_reached: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How a run stands at one moment, epoch seconds. `left` is None where nothing can be said of it."""

    at: float
    phase: RunPhase
    waits: tuple[Wait, ...]
    upcoming: Upcoming | None
    left: TimeLeft | None
    servers: ServerCounts


def standing(facts: Facts, now: float, sight: Sight = UNSEEN) -> Standing:
    """How the run stands at `now`, epoch seconds by the run's time."""
    waits = tuple(_waits(facts, now, sight))
    return Standing(now, _phase(facts), waits, _upcoming(facts), remaining(facts, now), _servers(facts))


def _phase(facts: Facts) -> RunPhase:
    if facts.ended is not None:
        return RunPhase.ENDED
    if facts.started_at is None:
        return RunPhase.STARTING
    if facts.stop_reason is not None:
        return RunPhase.STOPPING
    if facts.over:
        return RunPhase.WATCHING
    return RunPhase.AT_WORK if facts.is_anything_open else RunPhase.WAITING


def _servers(facts: Facts) -> ServerCounts:
    total, over = sum(len(group.servers) for group in facts.plan.groups), sum(facts.counts.values())
    rest = total - over - facts.at_work
    unanswered = max(0, min(rest, unanswered_servers(facts)))
    return ServerCounts(total, over, facts.at_work, unanswered, rest - unanswered)


def _waits(facts: Facts, now: float, sight: Sight) -> Iterator[Wait]:
    """What a person must end comes first, then the gate, then each lane."""
    yield from person_waits(facts)
    if facts.ended is not None or facts.stop_reason is not None:
        return
    wave = facts.rollout.wave if facts.rollout else None
    if wave is not None and not facts.over and not facts.is_waiting_for_person:
        yield from _gate_waits(wave, now)
    yield from doubt_waits(facts, now)
    for index in range(len(facts.lanes)):
        yield from lane_waits(facts, index, now, sight)


def _gate_waits(wave: WaveFacts, now: float) -> Iterator[Wait]:
    check = wave.next_check
    if wave.stage is Stage.SOAKING and now < wave.soak_until:
        yield Wait(WaitKind.SOAK, f"wave {wave.plan.name} soaks", wave.over_at, wave.soak_until)
    elif wave.stage is Stage.CHECKING and check is not None:
        tries = f", attempt {wave.attempts} of {check.attempts}" if check.attempts > 1 and wave.attempts else ""
        what = f"wave {wave.plan.name} is checked by `{check.name}`{tries}"
        yield Wait(WaitKind.CHECK, what, wave.check_since, ends="it passed")


def _upcoming(facts: Facts) -> Upcoming | None:
    if facts.ended is not None:
        return None
    if facts.stop_reason is not None:
        return Upcoming(("the end of the process",), "the requests that are on their way are answered")
    wave = facts.rollout.wave if facts.rollout else None
    if facts.over or wave is None:
        return Upcoming(("the end of the run",), "what is at work is over" if facts.over else "all servers are over")
    trigger, at = _trigger(facts, wave)
    return Upcoming(tuple(_chain(facts, wave)), trigger, at)


def _trigger(facts: Facts, wave: WaveFacts) -> tuple[str, float | None]:
    if facts.is_waiting_for_person or wave.stage is Stage.AWAITING_APPROVAL:
        return "a person says so", None
    if wave.stage is Stage.SOAKING:
        return "the soak is over", wave.soak_until
    if wave.stage is Stage.CHECKING and wave.next_check is not None:
        return f"check `{wave.next_check.name}` passed", None
    return f"all servers of wave {wave.plan.name} are over", None


def _chain(facts: Facts, wave: WaveFacts) -> Iterator[str]:
    """What is between now and the next wave, with it."""
    is_running = wave.stage in {Stage.WAITING, Stage.RUNNING}
    if is_running and wave.plan.soak_s:
        yield f"soak {wave.plan.soak_s:g}s"
    if is_running or wave.stage is Stage.SOAKING or wave.stage is Stage.CHECKING:
        done = wave.check + (wave.stage is Stage.CHECKING)
        yield from (f"check `{check.name}`" for check in wave.plan.checks[done:])
        if wave.plan.approve:
            yield "approval by a person"
    waves, place = facts.rollout.waves if facts.rollout else [], facts.rollout.current + 1 if facts.rollout else 0
    yield f"wave {waves[place].plan.name}" if place < len(waves) else "the end of the run"
