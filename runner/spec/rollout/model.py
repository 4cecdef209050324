"""The jobspec's `rollout` as typed values: in which waves, within which limits, watched by which rules."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.model import JsonMapping
    from runner.spec.campaign import Place, Template
    from runner.spec.rollout.sizes import Sizes

Order = Literal["stratified", "listed", "shuffled"]
OnBreach = Literal["hold", "abort", "hold_early"]

# What a job of a step is taken to last, seconds, before one was seen and where the step says nothing.
DEFAULT_EXPECTED_S = 1800.0


@dataclass(frozen=True, slots=True)
class Share:
    """A limit: a number of servers, or percent of those that it is about. `text` is how it was written."""

    text: str
    count: int | None = None
    percent: float | None = None

    def of(self, total: int) -> int:
        """How many servers that is of `total`: rounded down, for a limit is kept."""
        if self.count is not None:
            return self.count
        return math.floor((self.percent or 0.0) * total / 100 + 1e-9)


@dataclass(frozen=True, slots=True)
class DomainLimit:
    """A limit for each value of an expression over servers; `most` None: all servers of a value together or none."""

    expression: Template
    most: Share | None


@dataclass(frozen=True, slots=True)
class BudgetRules:
    """How many servers may be abnormal (failed, timed out, unknown) with all that is in flight taken as lost.

    `limits` are those that are given, by their names in `runner.spec.rollout.limits`.
    """

    limits: Mapping[str, Share] = field(default_factory=dict)
    per: tuple[DomainLimit, ...] = ()


@dataclass(frozen=True, slots=True)
class SequentialRule:
    """What a sequential test decides between, and how often it may err; all are shares from 0 to 1.

    A change that makes `healthy` of the servers abnormal, or fewer, is stopped with a chance of `false_alarm` at most; one
    that makes `bad` of them abnormal, or more, is called healthy with a chance of `miss` at most.
    """

    healthy: float
    bad: float
    false_alarm: float
    miss: float


@dataclass(frozen=True, slots=True)
class AbortRules:
    """Evidence that the change itself is bad: the campaign is aborted. `after_unknown` counts unknown and timed out."""

    sequential: SequentialRule | None = None
    after_unknown: int | None = None


@dataclass(frozen=True, slots=True)
class WindowRules:
    """When requests may be sent, as it was written (`runner.spec.rollout.windows` reads it).

    `cutoff` is the quantile of the durations seen that a job is expected to last.
    """

    allow: tuple[str, ...]
    deny: tuple[str, ...]
    timezone: str
    cutoff: float


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """A health gate after each wave: exactly one of a command, an HTTP GET that must give 2xx, and a step.

    Times are seconds. `command` and `url` may be templates that see `wave.name`. `env` are variables that a command has
    though they look like credentials.
    """

    name: str
    place: Place
    command: tuple[Template, ...] | None = None
    url: Template | None = None
    step: str | None = None
    timeout_s: float = 300.0
    attempts: int = 1
    env: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WaveSpec:
    """An entry of `waves`: one wave, or several by `sizes`; `groups` None: all that are in no other wave.

    `soak_s` is seconds. Not `is_written`: the one wave of a rollout that says nothing of waves.
    """

    name: str
    place: Place
    groups: tuple[str, ...] | None
    sizes: Sizes
    soak_s: float = 0.0
    approve: bool = False
    is_written: bool = True


@dataclass(frozen=True, slots=True)
class RolloutSpec:
    """How carefully a campaign goes. `strata` None: those that the budget has limits for.

    `places` says where its parts stand, by their path in it, such as `budget.max_abnormal`. `variables` are what its
    expressions see beside the server, once a plan is made.
    """

    place: Place
    waves: tuple[WaveSpec, ...]
    order: Order = "stratified"
    strata: tuple[Template, ...] | None = None
    seed: str = ""
    budget: BudgetRules = field(default_factory=BudgetRules)
    abort: AbortRules = field(default_factory=AbortRules)
    on_breach: OnBreach = "hold"
    window: WindowRules | None = None
    deadline_s: float | None = None
    checks: tuple[CheckSpec, ...] = ()
    on_failure: str | None = None
    places: Mapping[str, Place] = field(default_factory=dict)
    variables: JsonMapping = field(default_factory=dict)

    def place_of(self, path: str) -> Place:
        """Where a part stands, or else the rollout."""
        return self.places.get(path, self.place)
