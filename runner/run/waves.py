"""Where a rollout stands: its waves, its budgets, its evidence. Part of the facts, changed by `evolve` alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from runner.model import Outcome
from runner.rules.budget import Ledger
from runner.rules.sequential import Evidence
from runner.spec.rollout.windows import Window, window_of

if TYPE_CHECKING:
    from runner.plan.plan import Plan
    from runner.plan.rollout.model import PlannedCheck, PlannedWave, Rollout
    from runner.rules.durations import Durations


class Stage(StrEnum):
    """Where a wave stands."""

    WAITING = "waiting"  # not begun
    RUNNING = "running"
    SOAKING = "soaking"  # every request is over; waits for `soak_until`
    CHECKING = "checking"
    AWAITING_APPROVAL = "awaiting_approval"
    PASSED = "passed"
    REJECTED = "rejected"  # by a person
    ABORTED = "aborted"  # the campaign was, before the wave passed


@dataclass(slots=True)
class WaveFacts:
    """One wave. `left` counts its requests that are not over, `excluded` those withdrawn.

    `requests` are those of its main steps, `check_requests` those of its checks that are steps, by step. `check` is the
    place of the check to make next, `attempts` how often it was tried, `check_left` counts its requests that are not over.
    `check_since` is when that began, `asked_at` when a person was asked to approve.
    `check_to_repeat`: that check has failed, and is made again if a person goes on. `counts` are its servers whose outcome
    is final. `waived`: a person let it pass though no server of it succeeded. Times are epoch seconds.
    """

    plan: PlannedWave
    requests: list[int] = field(default_factory=list)
    check_requests: dict[int, list[int]] = field(default_factory=dict)
    counts: Counter[Outcome] = field(default_factory=Counter)
    stage: Stage = Stage.WAITING
    left: int = 0
    excluded: int = 0
    check: int = 0
    attempts: int = 0
    check_open: bool = False
    check_left: int = 0
    check_failed: int = 0
    check_since: float | None = None
    check_again_at: float = 0.0
    check_to_repeat: bool = False
    waived: bool = False
    started_at: float | None = None
    over_at: float | None = None
    asked_at: float | None = None
    passed_at: float | None = None

    @property
    def takes_in(self) -> bool:
        """Whether servers that were excluded may be taken in again."""
        return self.stage in {Stage.WAITING, Stage.RUNNING}

    @property
    def soak_until(self) -> float:
        """When the soak ends, once every request is over."""
        return (self.over_at or 0.0) + self.plan.soak_s

    @property
    def next_check(self) -> PlannedCheck | None:
        """The check to make next; None when all were passed."""
        return self.plan.checks[self.check] if self.check < len(self.plan.checks) else None

    def request_over(self, at: float) -> None:
        """A request of the main steps is over; with the last one the soak begins."""
        self.left -= 1
        if not self.left and self.stage is Stage.RUNNING:
            self.over_at = at
            self.stage = Stage.SOAKING


class CrawlSaid(NamedTuple):
    """That a limit leaves little room was said, of so much; `is_answered`: and a person went on all the same."""

    limit: str
    scope: str
    room: int
    is_answered: bool = False


class RolloutDeadline(NamedTuple):
    """When nothing new is sent any more, epoch seconds: by the run's time, as spans count, or `by_wall`, for a moment."""

    at: float
    by_wall: bool = False

    def left_s(self, now: float, wall: float) -> float:
        """How long until then at `now` of the run, when the wall clock shows `wall`; none or less: it is over."""
        return self.at - (wall if self.by_wall else now)


@dataclass(slots=True)
class RolloutFacts:
    """A rollout at work. `current` is the place of the wave that is at work, or whose gate is looked at.

    `durations` are of each step. `servers` counts all of the campaign, `largest` those of its largest request, `unknown`
    servers unknown or timed out. `deadline` is when nothing new is sent any more. `curve` is the evidence at each
    abnormal server: outcomes so far, abnormal ones, evidence.
    """

    rules: Rollout
    ledger: Ledger
    waves: list[WaveFacts]
    durations: list[Durations]
    evidence: Evidence | None
    window: Window | None
    servers: int
    largest: int
    current: int = 0
    unknown: int = 0
    deadline: RolloutDeadline | None = None
    crawl: CrawlSaid | None = None
    curve: list[tuple[int, int, float]] = field(default_factory=list)

    @property
    def wave(self) -> WaveFacts | None:
        """The wave at work; None when all are passed."""
        return self.waves[self.current] if self.current < len(self.waves) else None

    def expected_s(self, step: int) -> float:
        """How long a job of a step is expected to last, seconds: by those seen, or as the plan says."""
        window = self.rules.window
        seen = self.durations[step].quantile(1.0 if window is None else window.cutoff)
        return self.rules.expected_s[step] if seen is None else seen


def has_no_success(wave: WaveFacts) -> bool:
    """Whether the wave was tried, and no server of it came out well: that never passes by itself, whatever the limits.

    Not where a person excluded all of it, or let it pass.
    """
    tried = sum(count for outcome, count in wave.counts.items() if outcome is not Outcome.EXCLUDED)
    return tried > 0 and not wave.counts[Outcome.SUCCEEDED] and not wave.waived


def initial_rollout(plan: Plan, durations: list[Durations]) -> RolloutFacts | None:
    """A rollout of which nothing has happened yet; None for a plan without one. `durations` will be those of its steps."""
    rules = plan.rollout
    if rules is None:
        return None
    waves = [WaveFacts(wave) for wave in rules.waves]
    for index, request in enumerate(plan.requests):
        wave = waves[request.wave]
        if request.step < rules.main_steps:
            wave.requests.append(index)
            wave.left += 1
        else:
            wave.check_requests.setdefault(request.step, []).append(index)
    rule = rules.abort.sequential
    return RolloutFacts(
        rules=rules,
        ledger=Ledger(plan),
        waves=waves,
        durations=durations,
        evidence=None if rule is None else Evidence(rule),
        window=None if rules.window is None else window_of(rules.window),
        servers=sum(len(group.servers) for group in plan.groups),
        largest=max((request.stop - request.start for request in plan.requests), default=0),
    )
