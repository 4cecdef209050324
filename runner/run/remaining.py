"""How long a run still takes, from its facts: the rest of the wave at work, and the waves after it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from runner.rules.time_left import PartLeft, time_left
from runner.run.waves import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runner.rules.time_left import TimeLeft
    from runner.run.facts import Facts
    from runner.run.waves import WaveFacts


def remaining(facts: Facts, now: float) -> TimeLeft | None:
    """How long until the end, not counting persons, checks and windows; None: no job of a step was seen."""
    steps = [_quantile(facts, step) for step in range(facts.plan.main_steps)]
    durations = [quantile for quantile in steps if quantile is not None]
    if len(durations) < len(steps) or facts.ended is not None:
        return None
    return time_left(_parts(facts, now), durations, pace_of(facts))


def pace_of(facts: Facts) -> float:
    """Servers started a second, in the stretch without a break that goes on; as planned, where that is too young."""
    stretch, last = facts.stretch, facts.last_intent_at
    if stretch is not None and last is not None and last > stretch.since and facts.started > stretch.started:
        return (facts.started - stretch.started) / (last - stretch.since)
    return facts.rate * len(facts.lanes) * _servers_each(facts)


def unanswered_servers(facts: Facts) -> int:
    """Servers of requests that are on their way or in doubt; without a rollout those few on their way count as most are."""
    if facts.rollout is not None:
        return max(0, facts.rollout.ledger.in_flight - facts.at_work)
    entries = facts.requests.entries
    doubted = sum(entries[request].stop - entries[request].start for lane in facts.lanes for request in lane.doubts)
    return doubted + round(sum(lane.in_flight for lane in facts.lanes) * _servers_each(facts))


def _servers_each(facts: Facts) -> float:
    total = sum(len(group.servers) for group in facts.plan.groups)
    return max(1.0, total * facts.plan.main_steps / max(1, len(facts.plan.requests)))


def _quantile(facts: Facts, step: int) -> Callable[[float], float] | None:
    seen = facts.durations[step]
    return None if seen.quantile(0.5) is None else lambda share: seen.quantile(share) or 0.0


def _parts(facts: Facts, now: float) -> Iterator[PartLeft]:
    youngest_s = 0.0 if facts.last_intent_at is None else max(0.0, now - facts.last_intent_at)
    if facts.rollout is None:
        total = sum(len(group.servers) for group in facts.plan.groups)
        yield _part(facts, total, sum(facts.counts.values()), facts.at_work + unanswered_servers(facts), youngest_s)
        return
    for wave in facts.rollout.waves[facts.rollout.current :]:
        yield _of_wave(facts, wave, now, youngest_s)


def _of_wave(facts: Facts, wave: WaveFacts, now: float, youngest_s: float) -> PartLeft:
    if wave.stage in {Stage.WAITING, Stage.RUNNING}:
        in_flight = facts.at_work + unanswered_servers(facts) if wave.stage is Stage.RUNNING else 0
        part = _part(facts, wave.plan.servers, sum(wave.counts.values()), in_flight, youngest_s)
        return part._replace(pauses_s=wave.plan.soak_s)
    soak_s = max(0.0, wave.soak_until - now) if wave.stage is Stage.SOAKING else 0.0
    return PartLeft(0, 0, pauses_s=soak_s)


def _part(facts: Facts, servers: int, over: int, in_flight: int, youngest_s: float) -> PartLeft:
    """After the end of intake nothing more is started."""
    to_start = 0 if facts.over else max(0, servers - over - in_flight)
    jobs = math.ceil((to_start + in_flight) / _servers_each(facts))
    return PartLeft(to_start, jobs, youngest_s)
