"""What a campaign would do to a fleet of which a given share fails: harm, chance of a stop, duration.

A coarse model, to be shown beside a plan. All jobs take one unit of time, so what is sent together comes back together,
and a stop comes a whole round late: what was in flight is counted. Every limit counts everything in flight as abnormal.
Where a round is small beside what is done already, rounds are taken together until they are an eighth of it; a stop
may then come up to an eighth too late, never too early.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, sqrt
from typing import TYPE_CHECKING, NamedTuple, Protocol

from runner.rules.ramp import allowance
from runner.rules.sequential import Evidence

if TYPE_CHECKING:
    from runner.spec.rollout.model import SequentialRule

_TAKEN_TOGETHER = 8
# Up to this mean a binomial number is drawn exactly; beyond it, from the normal distribution.
_EXACT_MEAN = 200


class Chance(Protocol):
    """A source of random numbers; `random.Random` is one."""

    def random(self) -> float:
        """A number from [0, 1)."""

    def gauss(self, mu: float, sigma: float, /) -> float:
        """A number from a normal distribution."""


@dataclass(frozen=True, slots=True)
class ForecastRules:
    """What limits a campaign. `waves` and the two maxima are in servers, `concurrency` in requests at once; None: no limit.

    `growth`: the ramp of `runner.rules.ramp`, None for none; it needs the sequential rule.
    """

    waves: tuple[int, ...]
    servers_per_request: int = 1
    concurrency: int | None = None
    max_abnormal: int | None = None
    max_unavailable: int | None = None
    sequential: SequentialRule | None = None
    growth: float | None = None
    exact: bool = False  # never take rounds together

    def __post_init__(self) -> None:
        if self.growth is not None and self.sequential is None:
            raise ValueError("a ramp needs a sequential rule")


class Fate(NamedTuple):
    """What became of one campaign. `stopped`: ended with servers that it never touched. `duration` is in jobs."""

    harmed: int
    touched: int
    duration: int
    stopped: bool


class Forecast(NamedTuple):
    """Means over many campaigns; `touched_when_stopped` over those that were, 0 if none was."""

    mean_harmed: float
    touched_when_stopped: float
    stop_chance: float
    mean_duration: float


def forecast(rules: ForecastRules, rate: float, campaigns: int, chance: Chance) -> Forecast:
    """What is to be expected where each server fails with probability `rate`."""
    fates = [fate(rules, rate, chance) for _ in range(campaigns)]
    stopped = [one for one in fates if one.stopped]
    return Forecast(
        mean_harmed=sum(one.harmed for one in fates) / campaigns,
        touched_when_stopped=sum(one.touched for one in stopped) / max(1, len(stopped)),
        stop_chance=len(stopped) / campaigns,
        mean_duration=sum(one.duration for one in fates) / campaigns,
    )


def fate(rules: ForecastRules, rate: float, chance: Chance) -> Fate:
    """One campaign."""
    evidence = Evidence(rules.sequential) if rules.sequential else None
    fleet, most, harmed, touched, duration = sum(rules.waves), _most_harmed(rules), 0, 0, 0
    for wave in rules.waves:
        left = wave
        if evidence:
            evidence.begin_wave()
        while left:
            room = max(0, most - harmed)
            flight = _in_flight(rules, left, room, evidence)
            if not flight:
                return Fate(harmed, touched, duration, stopped=True)
            sent = flight if rules.exact else min(left, max(flight, touched // _TAKEN_TOGETHER))
            failed = min(binomial(sent, rate, chance), room)
            left, touched, harmed, duration = (
                left - sent,
                touched + sent,
                harmed + failed,
                duration + ceil(sent / flight),
            )
            if evidence:
                evidence.add(failed, sent - failed)
                if evidence.tripped:
                    return Fate(harmed, touched, duration, stopped=touched < fleet)
    return Fate(harmed, touched, duration, stopped=False)


def _most_harmed(rules: ForecastRules) -> int:
    """How many servers may turn out abnormal in all."""
    return min(
        (limit for limit in (rules.max_abnormal, rules.max_unavailable) if limit is not None), default=sys.maxsize
    )


def _in_flight(rules: ForecastRules, left: int, room: int, evidence: Evidence | None) -> int:
    """Servers of the next round, in whole requests, where so many more may turn out abnormal; 0: no request is admitted."""
    size = min(rules.servers_per_request, left)
    if rules.concurrency is not None:
        room = min(room, rules.concurrency * rules.servers_per_request)
    if rules.growth is not None and evidence:
        room = min(room, max(size, allowance(evidence, rules.growth)))
    return left if room >= left else room // size * size


def binomial(trials: int, rate: float, chance: Chance) -> int:
    """How many of `trials` fail, each with probability `rate`; by inversion (Devroye 1986, chapter X.4)."""
    if rate > 1 / 2:
        return trials - binomial(trials, 1 - rate, chance)
    mean = trials * rate
    if mean > _EXACT_MEAN:
        return min(trials, max(0, round(chance.gauss(mean, sqrt(mean * (1 - rate))))))
    return min(trials, bisect_left(_at_most(trials, rate), chance.random()))


@lru_cache(maxsize=1024)  # campaigns of one forecast draw the same few again and again
def _at_most(trials: int, rate: float) -> list[float]:
    """The chances that none, at most one, at most two and so on fail; up to where more adds nothing."""
    odds, term = rate / (1 - rate), (1 - rate) ** trials
    chances = [term]
    for failed in range(1, trials + 1):
        term *= odds * (trials - failed + 1) / failed
        if failed > trials * rate and chances[-1] + term == chances[-1]:
            break
        chances.append(chances[-1] + term)
    return chances
