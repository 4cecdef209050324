"""A rollout as a plan has it: waves with their servers counted, limits, gates. All of it is frozen and hashed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.model import JsonMapping
    from runner.spec.rollout.model import AbortRules, OnBreach, Share, WindowRules


@dataclass(frozen=True, slots=True)
class PlannedCheck:
    """A health gate, rendered for its wave: exactly one of a command, a URL and a step (an index into the plan's).

    `env` are variables that a command has though they look like credentials. A program that stands beside the jobspec
    is looked for in `folder`, and was what `fingerprint` says (`sha256:` over its bytes) when the plan was made.
    """

    name: str
    command: tuple[str, ...] | None
    url: str | None
    step: int | None
    timeout_s: float
    attempts: int
    env: tuple[str, ...] = ()
    folder: str | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedWave:
    """An ordered stage of the rollout. `servers` counts those in it; `soak_s` is seconds.

    A wave with a `growth` is adaptive: it lets in as many servers as the evidence of health so far allows
    (`runner.rules.ramp`).
    """

    name: str
    servers: int
    soak_s: float = 0.0
    approve: bool = False
    growth: float | None = None
    checks: tuple[PlannedCheck, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedDomains:
    """A limit for each value of an expression over servers; `most` None: the servers of a value are never parted.

    `variables` are those that the expression uses.
    """

    expression: str
    most: Share | None
    variables: JsonMapping = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlannedBudget:
    """The limits that are given, as they were written, by their names in `runner.spec.rollout.limits`."""

    limits: Mapping[str, Share] = field(default_factory=dict)
    per: tuple[PlannedDomains, ...] = ()


@dataclass(frozen=True, slots=True)
class Rollout:
    """How carefully a plan is carried out.

    The first `main_steps` of the plan's steps are those that every server goes through. `expected_s` is how long a job
    of each step is taken to last before one was seen, seconds. `on_failure` is a step to run on servers that failed,
    `failure_bodies` its body for each group of the plan.
    """

    main_steps: int
    waves: tuple[PlannedWave, ...]
    budget: PlannedBudget
    abort: AbortRules
    on_breach: OnBreach
    window: WindowRules | None
    deadline_s: float | None
    expected_s: tuple[float, ...]
    on_failure: int | None = None
    failure_bodies: tuple[Mapping[str, object], ...] = ()
