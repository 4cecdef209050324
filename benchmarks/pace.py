"""Rules for the rate of calls against limits that nobody tells them, in virtual time: how much of them they use."""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from statistics import mean
from typing import NamedTuple

from benchmarks.hidden_limits import HiddenLimit
from benchmarks.pace_rules import RULES, Rule
from benchmarks.pace_scenarios import CREATES, Scenario, held_out
from benchmarks.tools import header, row
from runner.rules.answers import Throttle

AT_ONCE = 32
# One way, seconds: so much at least, and up to so much more.
WAY_S, JITTER_S = 0.02, 0.02


class Played(NamedTuple):
    """What came of it: when calls passed, and how many were refused by the limit, and by chance."""

    passed_at: list[float]
    refused: int
    by_chance: int
    refused_known: int = 0


@dataclass
class _Play:
    scenario: Scenario
    rule: Rule
    rng: random.Random
    limit: HiddenLimit
    passed_at: list[float] = field(default_factory=list)
    refused_at: list[float] = field(default_factory=list)
    by_chance: int = 0
    in_flight: int = 0
    events: list[tuple[float, int, Callable[[float], None]]] = field(default_factory=list)
    numbers: count[int] = field(default_factory=count)
    wakes_at: float = math.inf

    def at(self, when: float, do: Callable[[float], None]) -> None:
        heappush(self.events, (when, next(self.numbers), do))

    def to_its_end(self) -> Played:
        self.send(0.0)
        while self.events and self.events[0][0] < self.scenario.span.until_s:
            now, _, do = heappop(self.events)
            do(now)
            self.send(now)
        known = len(self.refused_at) - bisect_left(self.refused_at, self.scenario.span.first_s)
        return Played(self.passed_at, len(self.refused_at), self.by_chance, known)

    def send(self, now: float) -> None:
        while self.in_flight < AT_ONCE:
            ready = self.rule.ready_at(now)
            if ready > now + 1e-9:
                if ready < self.wakes_at - 1e-9 or self.wakes_at <= now:
                    self.wakes_at = max(ready, now + 1e-6)
                    self.at(self.wakes_at, lambda _: None)
                return
            self.in_flight += 1
            self.rule.sent(now)
            self.at(now + self.way(), self.arrives(now))

    def way(self) -> float:
        return WAY_S + self.rng.random() * JITTER_S

    def arrives(self, sent_at: float) -> Callable[[float], None]:
        def arrive(now: float) -> None:
            chance = self.rng.random() < self.scenario.noise
            passes = self.limit.take(now)
            throttle = Throttle() if chance or passes else self.throttle(now)
            if passes and not chance:
                self.passed_at.append(now)
            elif chance:
                self.by_chance += 1
            else:
                self.refused_at.append(now)
            self.at(now + self.way(), self.answered(sent_at, throttle, passed=passes and not chance))

        return arrive

    def throttle(self, now: float) -> Throttle:
        named = self.limit.named if self.scenario.says else None
        after_s = float(math.floor(self.limit.free_in(now)) + 1) if self.scenario.retry_after else None
        return Throttle(named and named.limit, named and named.period_s, after_s)

    def answered(self, sent_at: float, throttle: Throttle, *, passed: bool) -> Callable[[float], None]:
        def answer(now: float) -> None:
            self.in_flight -= 1
            if passed:
                self.rule.passed(sent_at, now)
            else:
                self.rule.refused(sent_at, now, throttle)

        return answer


def _rng(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  chance that can be repeated is the point


def play(scenario: Scenario, rule: Callable[[float, int], Rule], seed: int) -> Played:
    """One client by a rule."""
    return _Play(scenario, rule(scenario.asked, scenario.burst), _rng(seed), scenario.make()).to_its_end()


def allowed(scenario: Scenario) -> list[float]:
    """When calls pass of a client that knows everything, and never asks in vain; chance takes its share of all."""
    limit, times = (scenario.left or scenario.make)(), []
    tokens, step_s = float(scenario.burst), min(0.01, 1 / scenario.asked)
    for number in range(int(scenario.span.until_s / step_s)):
        now = number * step_s
        tokens = min(scenario.burst, tokens + scenario.asked * step_s)
        while tokens >= 1 - 1e-9 and limit.passes(now):
            limit.take(now)
            tokens -= 1
            times.append(now)
    return times


def share(passed: Sequence[float], possible: Sequence[float], since: float, until: float, noise: float) -> float:
    """How much of what was possible passed between two times."""

    def within(times: Sequence[float]) -> int:
        return bisect_left(times, until) - bisect_left(times, since)

    return within(passed) / max(1.0, within(possible) * (1 - noise))


def back_after(scenario: Scenario, passed: Sequence[float]) -> float:
    """Seconds from a rise of the limit until within two seconds so much passed as 0.9 of it."""
    assert scenario.rises_at is not None  # noqa: S101  asked only of such
    wide = max(2.0, 10 / scenario.rises_to)
    for at in passed[bisect_left(passed, scenario.rises_at) :]:
        if bisect_left(passed, at) - bisect_left(passed, at - wide) >= 0.9 * scenario.rises_to * wide:
            return at - scenario.rises_at
    return math.inf


class Score(NamedTuple):
    """Shares of what is allowed, refusals per call that passed, seconds to a limit that rose."""

    first: float
    known: float
    refused: float
    back_s: float | None


def score(scenario: Scenario, rule: Callable[[float, int], Rule], seeds: Sequence[int]) -> Score:
    """The mean over the seeds."""
    possible = allowed(scenario)
    firsts, knowns, refused, backs = [], [], [], []
    for seed in seeds:
        played = play(scenario, rule, seed)
        firsts.append(share(played.passed_at, possible, 0.0, scenario.span.first_s, scenario.noise))
        knowns.append(share(played.passed_at, possible, scenario.span.first_s, scenario.span.until_s, scenario.noise))
        refused.append(played.refused / max(1, len(played.passed_at)))
        if scenario.rises_at is not None:
            backs.append(back_after(scenario, played.passed_at))
    return Score(mean(firsts), mean(knowns), mean(refused), mean(backs) if backs else None)


RuleMaker = Callable[[float, int], Rule]


def table(scenarios: Sequence[Scenario], seeds: Sequence[int], rules: Mapping[str, RuleMaker]) -> None:
    """Print how much of what is allowed each rule uses."""
    header("limit", *(f"{name}: first / known / refused / back" for name in rules))
    scores: dict[str, list[Score]] = {name: [] for name in rules}
    for scenario in scenarios:
        found = {name: score(scenario, rule, seeds) for name, rule in rules.items()}
        for name, one in found.items():
            scores[name].append(one)
        row(scenario.name, *map(text, found.values()))
    row("mean", *(text(_over_all(found, mean, mean)) for found in scores.values()))
    row("worst", *(text(_over_all(found, min, max)) for found in scores.values()))


def _over_all(found: Sequence[Score], of_shares: Callable[..., float], of_refused: Callable[..., float]) -> Score:
    firsts, knowns = [one.first for one in found], [one.known for one in found]
    return Score(of_shares(firsts), of_shares(knowns), of_refused([one.refused for one in found]), None)


def text(found: Score) -> str:
    """A score in a cell."""
    back = "" if found.back_s is None else f" / {found.back_s:.0f} s"
    return f"{found.first:.2f} / {found.known:.3f} / {100 * found.refused:.1f} %{back}"


def main() -> None:
    """Print the limits that the rule was made with, and the mean of those that it never saw."""
    table(CREATES, (1, 2, 3), RULES)
    print()
    table(held_out(60, seed=9), (1,), RULES)


if __name__ == "__main__":
    main()
