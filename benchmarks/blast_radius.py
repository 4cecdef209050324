"""What a bad change does before it is stopped: the error rates of the sequential test, and harm beside other tools.

Every rule is tuned to the strictest setting that stops a fleet whose servers fail at 0.5 % in at most 1 % of the campaigns;
a stop counts where servers were left untouched. Harm is the mean number of servers that failed, in-flight work included.
Duration is the mean at 0.5 % and at 1 %, in jobs. A rule is called safe here if no change that breaks 10 % of the servers
or more harms over 2 % of the fleet in the mean. See `benchmarks.peers` for the other tools.

Ours is set to 0.5 % against 2 %, and its risk of a false alarm is tuned as the thresholds of the others are; "as proved" is
the risk of 1 % that holds without tuning. Growth and brake of the ramp were chosen with this model under another seed.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from dataclasses import replace
from functools import partial
from math import log, sqrt
from statistics import fmean, stdev
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.peers import batches, iot_jobs, systems_manager
from benchmarks.tools import header, row
from runner.rules.forecast import Fate, ForecastRules, fate
from runner.rules.sequential import Conclusion, Evidence
from runner.spec.rollout.model import SequentialRule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SEED = 2026
FLEET = 1000
RATES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 0.8)
FALSE_STOPS = 0.01
CAMPAIGNS = 20_000
SAFE_FROM = 0.1
SAFE_SHARE = 0.02
SLOWER = 1.3

DEFAULT = SequentialRule(healthy=0.01, bad=0.05, false_alarm=0.01, miss=0.05)
STRICT = SequentialRule(healthy=0.005, bad=0.02, false_alarm=0.01, miss=0.05)
WAVES = (1, 5, 50, 236, 708)
ERROR_WAVES = (1, 5, 100, 474, 1420)
ERROR_CAMPAIGNS = 100_000


class Contender(NamedTuple):
    """A tool, set up in one way. `settings`: the strictest first; `run` takes one, a failure rate and chance."""

    name: str
    settings: Sequence[float]
    run: Callable[[float, float, random.Random], Fate]
    is_ours: bool = False


class Result(NamedTuple):
    """A contender, tuned. `duration` and `harmed`, with its standard `error`, are in the order of RATES."""

    contender: Contender
    setting: float
    duration: tuple[float, ...]
    harmed: tuple[float, ...]
    error: tuple[float, ...]


def contenders() -> list[Contender]:
    """Everyone in the table."""
    percentages = [half / 2 for half in range(200)]
    most_errors = range(30)
    alarms = [half / 200 for half in range(60, 0, -1)]
    return [
        *(Contender(f"SSM, max-concurrency {most}", most_errors, partial(_ssm, most)) for most in (50, 100, FLEET)),
        *(
            Contender(
                f"IoT Jobs, x2 per {step} succeeded, from {least} executed", percentages, partial(_iot, step, least)
            )
            for step, least in ((10, 20), (50, 20), (50, 100))
        ),
        Contender("Ansible, serial 1, 5 %, 25 %, 100 %", percentages, partial(_batches, (1, 50, 250, 699))),
        Contender("Ansible, serial 10 %, 20 %, 100 %", percentages, partial(_batches, (100, 200, 700))),
        Contender("Ansible, serial 1, 5, 20 %", percentages, partial(_batches, (1, 5, 200, 200, 200, 200, 194))),
        Contender("hawkBit, 10 equal groups", percentages, partial(_batches, (100,) * 10)),
        Contender("hawkBit, groups of 1, 4, 15, 30, 50 %", percentages, partial(_batches, (10, 40, 150, 300, 500))),
        Contender("ours, waves 1, 5, 5 %, 25 %, rest", alarms, partial(_ours, STRICT, WAVES, None), is_ours=True),
        *(
            Contender(f"ours, ramp x{growth}", alarms, partial(_ours, STRICT, (FLEET,), growth), is_ours=True)
            for growth in (2, 3, 5.5, 6)
        ),
        *(
            Contender(
                f"ours, ramp x{growth}, as proved", [0.01], partial(_ours, STRICT, (FLEET,), growth), is_ours=True
            )
            for growth in (2, 6)
        ),
        Contender("ours, ramp x2, 1 % against 5 %", [0.01], partial(_ours, DEFAULT, (FLEET,), 2), is_ours=True),
    ]


def _ssm(concurrency: int, setting: float, rate: float, chance: random.Random) -> Fate:
    return systems_manager(FLEET, concurrency, int(setting), rate, chance)


def _iot(step: int, least: int, setting: float, rate: float, chance: random.Random) -> Fate:
    return iot_jobs(FLEET, step, least, setting, rate, chance)


def _batches(sizes: tuple[int, ...], setting: float, rate: float, chance: random.Random) -> Fate:
    return batches(sizes, setting, rate, chance)


def _ours(
    rule: SequentialRule,
    waves: tuple[int, ...],
    growth: float | None,
    setting: float,
    rate: float,
    chance: random.Random,
) -> Fate:
    sequential = replace(rule, false_alarm=setting)
    return fate(ForecastRules(waves, sequential=sequential, growth=growth, exact=True), rate, chance)


def false_stops(contender: Contender, setting: float) -> float:
    """Share of campaigns stopped on the healthy fleet."""
    chance = _chance()
    return sum(contender.run(setting, RATES[0], chance).stopped for _ in range(CAMPAIGNS)) / CAMPAIGNS


def tuned(contender: Contender) -> float:
    """The strictest setting with few enough false stops; the laxest where none has."""
    found = bisect_left(contender.settings, x=True, key=lambda setting: false_stops(contender, setting) <= FALSE_STOPS)
    return contender.settings[min(found, len(contender.settings) - 1)]


def measured(contender: Contender) -> Result:
    """A contender's result at its tuned setting."""
    setting, chance = tuned(contender), _chance(1)
    fates = [[contender.run(setting, rate, chance) for _ in range(CAMPAIGNS)] for rate in RATES]
    harmed = [[one.harmed for one in each] for each in fates]
    return Result(
        contender=contender,
        setting=setting,
        duration=tuple(fmean(one.duration for one in each) for each in fates),
        harmed=tuple(map(fmean, harmed)),
        error=tuple(stdev(each) / sqrt(CAMPAIGNS) for each in harmed),
    )


def is_safe(result: Result) -> bool:
    """Whether no change that breaks many servers harms over a small share of the fleet."""
    harmed = (harm for rate, harm in zip(RATES, result.harmed, strict=True) if rate >= SAFE_FROM)
    return max(harmed) <= SAFE_SHARE * FLEET


def harm() -> None:
    """Print what each contender lets happen, and how ours stand to the best of the others."""
    header("rule, tuned", "setting", "duration", "at 1.0%", "safe", *(f"{rate:.1%}" for rate in RATES))
    results = [_printed(measured(contender)) for contender in contenders()]
    others = [result for result in results if not result.contender.is_ours]
    best = [min(others, key=lambda result: result.harmed[at]) for at in range(len(RATES))]
    fewest = [min(result.harmed[at] for result in others if is_safe(result)) for at in range(len(RATES))]
    row("fewest of the others", "", "", "", "", *(result.harmed[at] for at, result in enumerate(best)))
    row("fewest of the others that are safe", "", "", "", "", *fewest)
    fastest = min((result for result in others if is_safe(result)), key=lambda result: result.duration[0])
    print(f"\nFastest of the others that is safe: {fastest.contender.name}, {fastest.duration[0]:.2f} jobs.\n")
    header("ours less the fewest of the others", "duration of the fastest safe", *(f"{rate:.1%}" for rate in RATES[1:]))
    for ours in (result for result in results if result.contender.is_ours):
        margins = [_margin(ours, best[at], at) for at in range(1, len(RATES))]
        row(ours.contender.name, ours.duration[0] / fastest.duration[0], *margins)


def _printed(result: Result) -> Result:
    safe = "yes" if is_safe(result) else "no"
    row(result.contender.name, f"{result.setting:g}", *result.duration[:2], safe, *result.harmed)
    return result


def _margin(ours: Result, other: Result, at: int) -> str:
    error = sqrt(ours.error[at] ** 2 + other.error[at] ** 2)
    return f"{ours.harmed[at] - other.harmed[at]:+.2f} ± {error:.2f}"


def verdicts(rule: SequentialRule, rate: float, chance: random.Random) -> set[Conclusion]:
    """Every verdict of one campaign in waves, asked after each outcome until it is BAD.

    Between two failures `log_alarm` only falls and `log_healthy` only rises, so it is enough to look at the ends.
    """
    evidence, seen, gap = Evidence(rule), set[Conclusion](), _gap(rate, chance)
    for wave in ERROR_WAVES:
        evidence.begin_wave()
        left = wave
        while left:
            good = min(gap, left)
            evidence.add(0, good)
            seen.add(evidence.conclusion)
            left, gap = left - good, gap - good
            if left:
                evidence.add(1, 0)
                left, gap = left - 1, _gap(rate, chance)
                if evidence.tripped:
                    return seen | {Conclusion.BAD}
    return seen


def _gap(rate: float, chance: random.Random) -> int:
    """Servers that come out well before the next that does not."""
    return int(log(1.0 - chance.random()) / log(1.0 - rate))


def errors() -> None:
    """Print how often the test is wrong."""
    header("rule", "true rate", "wrong verdict", "asked for", f"of {ERROR_CAMPAIGNS:,} campaigns", "standard error")
    chance = _chance()
    for rule in (DEFAULT, STRICT):
        for rate, wrong, asked in (
            (rule.healthy, Conclusion.BAD, rule.false_alarm),
            (rule.bad, Conclusion.HEALTHY, rule.miss),
        ):
            share = fmean(wrong in verdicts(rule, rate, chance) for _ in range(ERROR_CAMPAIGNS))
            error = sqrt(share * (1 - share) / ERROR_CAMPAIGNS)
            row(
                f"{rule.healthy:.1%}, {rule.bad:.0%}",
                f"{rate:.1%}",
                wrong.upper(),
                f"{asked:.1%}",
                f"{share:.3%}",
                f"{error:.3%}",
            )


def later_waves() -> None:
    """Print how many servers a wave may lose that breaks after others came out well, with and without a fresh bet on it."""
    header(
        "good outcomes before", "rate in the new wave", "lost, wave bet on by itself", "lost, past and present together"
    )
    for before in (100, 1000, 10_000):
        for rate in (0.1, 0.3, 0.8):
            chance = _chance()
            lost = [fmean(_lost(before, rate, chance, fresh=fresh) for _ in range(1000)) for fresh in (True, False)]
            row(f"{before:,}", f"{rate:.0%}", *lost)


def _lost(before: int, rate: float, chance: random.Random, *, fresh: bool) -> int:
    evidence, failed = Evidence(DEFAULT), round(before * DEFAULT.healthy / 2)
    evidence.add(failed, before - failed)
    if fresh:
        evidence.begin_wave()
    while not evidence.tripped:
        evidence.add(0, _gap(rate, chance))
        evidence.add(1, 0)
    return evidence.abnormal - failed


def _chance(more: int = 0) -> random.Random:
    return random.Random(SEED + more)  # noqa: S311  a simulation that can be repeated


def main() -> None:
    """Print all tables."""
    errors()
    print()
    later_waves()
    print()
    harm()


if __name__ == "__main__":
    main()
