"""Where a rollout stands: its waves, its budgets, its evidence. Part of the run's state, changed by `evolve` alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from runner.rules.budget import Ledger
from runner.rules.durations import Durations
from runner.rules.sequential import Evidence
from runner.spec.rollout.windows import Window, parse_allow, parse_deny

if TYPE_CHECKING:
    from runner.plan.plan import Plan
    from runner.plan.rollout.model import PlannedCheck, PlannedWave, Rollout
    from runner.rules.budget import Cell
    from runner.rules.windows import Opening
    from runner.spec.rollout.model import WindowRules


class Stage(StrEnum):
    """Where a wave stands."""

    WAITING = "waiting"  # not begun
    RUNNING = "running"
    SOAKING = "soaking"  # every request is over; waits for `soak_until`
    CHECKING = "checking"
    AWAITING_APPROVAL = "awaiting_approval"
    PASSED = "passed"
    REJECTED = "rejected"  # by a person


@dataclass(slots=True)
class WaveFacts:
    """One wave. `left` counts its requests that are not over, `check_left` those of the check that is being made.

    `requests` are those of its main steps, `check_requests` those of its checks that are steps, by step. `check` is the
    place of the check to make next, `attempts` how often it was tried. Times are epoch seconds.
    """

    plan: PlannedWave
    requests: list[int] = field(default_factory=list)
    check_requests: dict[int, list[int]] = field(default_factory=dict)
    stage: Stage = Stage.WAITING
    left: int = 0
    check: int = 0
    attempts: int = 0
    check_open: bool = False
    check_left: int = 0
    check_failed: int = 0
    check_again_at: float = 0.0
    started_at: float | None = None
    over_at: float | None = None
    passed_at: float | None = None

    @property
    def soak_until(self) -> float:
        """When the soak ends, once every request is over."""
        return (self.over_at or 0.0) + self.plan.soak_s

    @property
    def next_check(self) -> PlannedCheck | None:
        """The check to make next; None when all were passed."""
        return self.plan.checks[self.check] if self.check < len(self.plan.checks) else None


class Turn(NamedTuple):
    """There is room at a limit, and a request may try; if it waits elsewhere then, `tries` more may."""

    cell: Cell
    tries: int


class NoWindow(NamedTuple):
    """No window is as long as `need_s` seconds, as was found at `since`, epoch seconds."""

    need_s: float
    since: float


@dataclass(slots=True)
class RolloutFacts:
    """A rollout at work. `current` is the place of the wave that is at work, or whose gate is looked at.

    `durations` are of each step. `unknown` counts servers unknown or timed out. `opening` is the stretch of allowed time
    that was looked up last, `no_window` the length that none was found of; `closed_until` is when the next one begins,
    while a request waits for it. `deadline_at` is when nothing new is sent any more. `curve` is the evidence at each
    abnormal server: outcomes so far, abnormal ones, evidence. `wave_counts` are servers by outcome letter, for each wave.
    `woken` are requests that were let try again, each with its turns. `barrier` is the limit of all that was found last to
    have no room for what comes next.
    """

    rules: Rollout
    ledger: Ledger
    waves: list[WaveFacts]
    durations: list[Durations]
    evidence: Evidence | None
    window: Window | None
    current: int = 0
    unknown: int = 0
    wave_counts: list[Counter[str]] = field(default_factory=list)
    deadline_at: float | None = None
    opening: Opening | None = None
    no_window: NoWindow | None = None
    closed_until: float | None = None
    curve: list[tuple[int, int, float]] = field(default_factory=list)
    woken: dict[int, list[Turn]] = field(default_factory=dict)
    barrier: Cell | None = None

    @property
    def wave(self) -> WaveFacts | None:
        """The wave at work; None when all are passed."""
        return self.waves[self.current] if self.current < len(self.waves) else None

    def request_over(self, wave: int, at: float) -> None:
        """A request of a wave's main steps is over; with the last one the soak begins."""
        state = self.waves[wave]
        state.left -= 1
        if not state.left and state.stage is Stage.RUNNING:
            state.over_at = at
            state.stage = Stage.SOAKING

    def check_request_over(self, wave: int, failed: int = 0) -> None:
        """A request of the check that is being made is over, and so many of its servers did not succeed."""
        self.waves[wave].check_left -= 1
        self.waves[wave].check_failed += failed


def initial_rollout(plan: Plan) -> RolloutFacts | None:
    """The state of a rollout of which nothing has happened yet; None for a plan without one."""
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
        durations=[Durations() for _ in plan.steps],
        evidence=None if rule is None else Evidence(rule),
        window=None if rules.window is None else window_of(rules.window),
        wave_counts=[Counter() for _ in waves],
    )


def window_of(rules: WindowRules) -> Window:
    """The rules as values; what cannot be read was refused when the jobspec was loaded."""
    allow = filter(None, map(parse_allow, rules.allow))
    deny = filter(None, map(parse_deny, rules.deny))
    return Window(tuple(allow), tuple(deny), rules.timezone)
