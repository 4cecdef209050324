"""What a campaign would do to a fleet of which a given share fails: harm, chance of a stop, duration.

A coarse model, to be shown beside a plan. All jobs take one unit of time, so what is sent together comes back together,
and a stop comes a whole round late: what was in flight is counted. Every limit counts everything in flight as abnormal.
Where a round is small beside what is done already, rounds are taken together until they are an eighth of it; a stop
may then come up to an eighth too late, never too early.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    """Means over many campaigns."""

    mean_harmed: float
    stop_chance: float
    mean_duration: float


def forecast(rules: ForecastRules, rate: float, campaigns: int, chance: Chance) -> Forecast:
    """What is to be expected where each server fails with probability `rate`."""
    fates = [fate(rules, rate, chance) for _ in range(campaigns)]
    return Forecast(
        mean_harmed=sum(one.harmed for one in fates) / campaigns,
        stop_chance=sum(one.stopped for one in fates) / campaigns,
        mean_duration=sum(one.duration for one in fates) / campaigns,
    )


def fate(rules: ForecastRules, rate: float, chance: Chance) -> Fate:
    """One campaign."""
    evidence = Evidence(rules.sequential) if rules.sequential else None
    fleet, harmed, touched, duration = sum(rules.waves), 0, 0, 0
    for wave in rules.waves:
        left = wave
        if evidence:
            evidence.begin_wave()
        while left:
            flight = _in_flight(rules, left, harmed, evidence)
            if not flight:
                return Fate(harmed, touched, duration, stopped=True)
            sent = flight if rules.exact else min(left, max(flight, touched // _TAKEN_TOGETHER))
            failed = min(binomial(sent, rate, chance), _room(rules, harmed))
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


def _room(rules: ForecastRules, harmed: int) -> int:
    """How many more servers may turn out abnormal."""
    limits = [limit for limit in (rules.max_abnormal, rules.max_unavailable) if limit is not None]
    return max(0, min(limits) - harmed) if limits else sum(rules.waves)


def _in_flight(rules: ForecastRules, left: int, harmed: int, evidence: Evidence | None) -> int:
    """Servers of the next round, in whole requests; 0: no request is admitted."""
    room, size = _room(rules, harmed), min(rules.servers_per_request, left)
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
    odds, term, left, failed = rate / (1 - rate), (1 - rate) ** trials, chance.random(), 0
    while left > term and failed < trials:
        left -= term
        failed += 1
        term *= odds * (trials - failed + 1) / failed
    return failed
