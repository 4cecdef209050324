"""What is true of a run: the fold of its events so far.

`RunState` is changed in place by `runner.campaign.evolve.evolve` and by nothing else, so that one event costs the same
whatever the size of the fleet; everyone else reads it.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from enum import IntEnum
from heapq import heappush
from typing import TYPE_CHECKING

from runner.plan.dependencies import prerequisites

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.campaign.answers import ServiceError
    from runner.model import Server
    from runner.plan.plan import Plan


class Phase(IntEnum):
    """Where a request stands."""

    BLOCKED = 0  # its servers are not through the step before
    READY = 1
    RETRY = 2  # refused; may be sent again at a time
    SENT = 3  # intended, no answer yet
    IN_DOUBT = 4
    OPEN = 5  # accepted, its job not over
    SETTLED = 6
    REFUSED = 7  # for good
    GIVEN_UP = 8  # unknown, or in conflict
    VOID = 9  # none of its servers got through the step before


@dataclass(slots=True)
class Doubt:
    """A request in doubt: since when, and the id of no job yet."""

    since: float


@dataclass(slots=True)
class OpenJob:
    """A job that is not over."""

    job_id: str
    accepted_at: float


@dataclass(slots=True)
class LaneState:
    """One lane's part of the state. `unsubmitted` counts its requests that may still be sent (or sent again)."""

    ready: deque[int] = field(default_factory=deque)
    retries: list[tuple[float, int]] = field(default_factory=list)
    in_flight: int = 0
    doubts: dict[int, Doubt] = field(default_factory=dict)
    ever_in_doubt: set[int] = field(default_factory=set)
    open: dict[int, OpenJob] = field(default_factory=dict)
    unsubmitted: int = 0
    accepted: int = 0
    proven: bool = False  # the service took a request of ours: until then one at a time is risked
    unsurveyed_since: float | None = None  # resumed after a crash: nothing is sent before the names were looked up
    unauthenticated_in_a_row: int = 0
    stopped: ServiceError | None = None


@dataclass(slots=True)
class RunState:
    """The state of a run. Lists are indexed by the request's place in the plan.

    `counts` are servers by outcome letter (`runner.campaign.outcomes`), for servers whose outcome is final.
    `left_behind` are, per group, the servers that did not succeed in an earlier step. `job_ids` are the jobs of requests.
    `suspected` are blocked requests that the list shows a job of.
    """

    plan: Plan
    phases: list[Phase]
    attempts: list[int]
    blocked_by: list[int]
    dependents: list[list[int]]
    lanes: list[LaneState]
    left_behind: list[set[str]]
    counts: Counter[str] = field(default_factory=Counter)
    job_ids: dict[int, str] = field(default_factory=dict)
    suspected: set[int] = field(default_factory=set)
    accepted: int = 0
    settled: int = 0
    refused: int = 0
    conflicts: int = 0
    watched: bool = True
    simulated: bool = False
    started_at: float | None = None
    stop_reason: str | None = None
    ended: str | None = None

    def lane_of(self, request: int) -> LaneState:
        """The lane that the request goes to."""
        return self.lanes[self.plan.groups[self.plan.requests[request].group].lane]

    def servers_of(self, request: int) -> Sequence[Server]:
        """The servers that the request is for: those planned, less those left behind in an earlier step."""
        servers = self.plan.servers_of(request)
        planned = self.plan.requests[request]
        behind = self.left_behind[planned.group]
        if not behind or planned.step == 0:
            return servers
        return [server for server in servers if server.id not in behind]


def new_state(plan: Plan) -> RunState:
    """The state of a run of which nothing has happened yet."""
    count = len(plan.requests)
    state = RunState(
        plan=plan,
        phases=[Phase.READY] * count,
        attempts=[0] * count,
        blocked_by=[0] * count,
        dependents=[],
        lanes=[LaneState() for _ in plan.lanes],
        left_behind=[set() for _ in plan.groups],
    )
    if len(plan.steps) > 1:
        _block_later_steps(state)
    for index, phase in enumerate(state.phases):
        lane = state.lane_of(index)
        lane.unsubmitted += 1
        if phase is Phase.READY:
            lane.ready.append(index)
    return state


def _block_later_steps(state: RunState) -> None:
    state.dependents = [[] for _ in state.phases]
    for index, needed in enumerate(prerequisites(state.plan)):
        if needed:
            state.phases[index] = Phase.BLOCKED
            state.blocked_by[index] = len(needed)
        for earlier in needed:
            state.dependents[earlier].append(index)


def make_ready(lane: LaneState, state: RunState, request: int) -> None:
    """Put a request at the end of those that may be sent now."""
    state.phases[request] = Phase.READY
    lane.ready.append(request)


def make_retry(lane: LaneState, state: RunState, request: int, at: float) -> None:
    """Let a request be sent again from `at` on."""
    state.phases[request] = Phase.RETRY
    heappush(lane.retries, (at, request))
