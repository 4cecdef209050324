"""Events of calls that fail for a while: they change nothing but what is shown (`runner.run.events`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from runner.rules.answers import ServiceError


@dataclass(frozen=True, slots=True)
class CallsFailing:
    """Calls of a lane fail, and have `failed` times since `since`: told when it has lasted a moment, then every minute.

    What fails is the reading of `jobs` jobs, the lookups of `doubts` requests in doubt, `creates`, or the job list. `until`
    is when the first of them is given up, epoch seconds, and `then` what happens at that (`runner.run.outages.AfterThat`).
    """

    kind: ClassVar[str] = "calls_failing"
    at: float
    lane: int
    since: float
    failed: int
    error: ServiceError
    jobs: int
    doubts: int
    creates: bool
    until: float
    then: str


@dataclass(frozen=True, slots=True)
class CallsWorking:
    """No call of a lane fails any more, after `failed` that did since `since`; what failed last works, or is given up."""

    kind: ClassVar[str] = "calls_working"
    at: float
    lane: int
    since: float
    failed: int
    given_up: bool
