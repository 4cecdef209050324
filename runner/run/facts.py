"""What is true of a run: the fold of its events so far.

`Facts` is changed in place by `runner.run.evolve.evolve` and by nothing else, so that one event costs the same
whatever the size of the fleet; everyone else reads it.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from enum import IntEnum
from heapq import heappush
from typing import TYPE_CHECKING

from runner.plan.dependencies import prerequisites
from runner.run.requests import RequestTable
from runner.run.waves import RolloutFacts, Turn, initial_rollout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.model import RunState, Server
    from runner.plan.plan import Plan
    from runner.rules.answers import ServiceError
    from runner.rules.budget import Cell


class Phase(IntEnum):
    """Where a request stands."""

    BLOCKED = 0  # its wave, or its check, has not begun, or its servers are not through the step before
    READY = 1
    RETRY = 2  # refused; may be sent again at a time
    SENT = 3  # intended, no answer yet
    IN_DOUBT = 4
    OPEN = 5  # accepted, its job not over
    SETTLED = 6
    REFUSED = 7  # for good
    GIVEN_UP = 8  # unknown, or in conflict
    VOID = 9  # none of its servers got through the step before, or all were excluded
    SPLIT = 10  # its pieces stand in its place


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
class LaneFacts:
    """One lane's part of the state. `unsubmitted` counts its requests that may still be sent (or sent again).

    What follows failures is ready in `urgent`, and goes before what is in `ready`.
    """

    urgent: deque[int] = field(default_factory=deque)
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
    watched: bool = True  # False: it stopped because its jobs cannot be read


@dataclass(slots=True)
class Controls:
    """What people asked of a run while it went on. `held` is why a person must decide before it goes on.

    `rate` and `concurrency` replace those of the plan. `last_command` is the newest command that was taken in.
    """

    paused: bool = False
    held: str | None = None
    held_groups: set[int] = field(default_factory=set)
    rate: float | None = None
    concurrency: int | None = None
    last_command: int = 0


@dataclass(slots=True)
class Facts:
    """The state of a run. Lists are indexed by the request's place in `requests`.

    `counts` are servers by outcome letter (`runner.rules.outcomes`), for servers whose outcome is final.
    `left_behind` are, per group, the servers that did not succeed in an earlier step. `job_ids` are the jobs of requests.
    `suspected` are blocked requests that the list shows a job of. `parked` are ready requests of groups that are held.
    `intake_ended` is why nothing new is sent any more, though what is in flight is followed to its end; `aborted` is why
    the campaign was aborted, which means that, too, and for good.
    `conflict_jobs` are the jobs of requests in conflict. `foreseen` are numbers of requests that are yet to come to be,
    of which the list shows a job already.
    """

    plan: Plan
    requests: RequestTable
    phases: list[Phase]
    attempts: list[int]
    blocked_by: list[int]
    dependents: list[list[int]]
    lanes: list[LaneFacts]
    left_behind: list[set[str]]
    rollout: RolloutFacts | None = None
    controls: Controls = field(default_factory=Controls)
    parked: dict[int, list[int]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    job_ids: dict[int, str] = field(default_factory=dict)
    suspected: set[int] = field(default_factory=set)
    conflict_jobs: dict[int, tuple[str, ...]] = field(default_factory=dict)
    foreseen: set[int] = field(default_factory=set)
    accepted: int = 0
    settled: int = 0
    refused: int = 0
    conflicts: int = 0
    watched: bool = True
    simulated: bool = False
    started_at: float | None = None
    stop_reason: str | None = None
    intake_ended: str | None = None
    aborted: str | None = None
    ended: RunState | None = None

    @property
    def over(self) -> bool:
        """Whether nothing new is sent any more, on any lane."""
        return self.stop_reason is not None or self.intake_ended is not None or self.aborted is not None

    @property
    def is_waiting_for_person(self) -> bool:
        """Whether nothing new is sent before a person says so."""
        return self.controls.paused or self.controls.held is not None

    @property
    def has_gates(self) -> bool:
        """Whether a request that is ready may still have to wait for more than its slot."""
        return self.rollout is not None or bool(self.controls.held_groups)

    @property
    def concurrency(self) -> int:
        """Requests in flight per lane: as a person set it, or as planned."""
        return self.controls.concurrency or self.plan.submit.concurrency

    @property
    def rate(self) -> float:
        """Creates per second and lane: as a person set it, or as planned."""
        return self.controls.rate or self.plan.submit.rate

    def lane_of(self, request: int) -> LaneFacts:
        """The lane that the request goes to."""
        return self.lanes[self.plan.groups[self.requests.entries[request].group].lane]

    def lane_index(self, request: int) -> int:
        """The place of that lane in `lanes`."""
        return self.plan.groups[self.requests.entries[request].group].lane

    def servers_of(self, request: int) -> Sequence[Server]:
        """The servers that the request is for: those planned, less those left behind in an earlier step."""
        planned = self.requests.entries[request]
        servers = self.plan.groups[planned.group].servers[planned.start : planned.stop]
        behind = self.left_behind[planned.group]
        if not behind or planned.step == 0 or self.requests.is_follow_up(request):
            return servers
        return [server for server in servers if server.id not in behind]

    def positions_of(self, request: int) -> Sequence[int]:
        """The places of those servers in their group."""
        planned = self.requests.entries[request]
        behind = self.left_behind[planned.group]
        if not behind or planned.step == 0:
            return range(planned.start, planned.stop)
        servers = self.plan.groups[planned.group].servers
        return [place for place in range(planned.start, planned.stop) if servers[place].id not in behind]

    def waits_for_step(self, request: int) -> bool:
        """Whether the step before is not over for all of the request's servers."""
        if self.rollout is None or not self.is_main(request):
            return self.blocked_by[request] > 0
        begun = self.rollout.waves[self.requests.entries[request].wave].started_at is not None
        return self.blocked_by[request] > (0 if begun else 1)

    def is_main(self, request: int) -> bool:
        """Whether the request is of a step that every server goes through, not of a check or after a failure."""
        return self.requests.entries[request].step < self.plan.main_steps


def initial_facts(plan: Plan) -> Facts:
    """The state of a run of which nothing has happened yet."""
    count = len(plan.requests)
    state = Facts(
        plan=plan,
        requests=RequestTable(plan),
        phases=[Phase.READY] * count,
        attempts=[0] * count,
        blocked_by=[0] * count,
        dependents=[],
        lanes=[LaneFacts() for _ in plan.lanes],
        left_behind=[set() for _ in plan.groups],
        rollout=initial_rollout(plan),
    )
    if plan.main_steps > 1:
        _block_later_steps(state)
    if state.rollout is not None:
        _block_waves(state)
    for index, phase in enumerate(state.phases):
        lane = state.lane_of(index)
        lane.unsubmitted += 1
        if phase is Phase.READY:
            lane.ready.append(index)
    return state


def _block_later_steps(state: Facts) -> None:
    state.dependents = [[] for _ in state.phases]
    for index, needed in enumerate(prerequisites(state.plan)):
        if needed:
            state.phases[index] = Phase.BLOCKED
            state.blocked_by[index] = len(needed)
        for earlier in needed:
            state.dependents[earlier].append(index)


def _block_waves(state: Facts) -> None:
    """Every request waits for its wave to begin, or for its check."""
    for index in range(len(state.phases)):
        state.phases[index] = Phase.BLOCKED
        state.blocked_by[index] += 1


# How many that wait for room may try one after the other before a turn is kept.
_TRIES = 8
_IN_FLIGHT = frozenset({Phase.SENT, Phase.IN_DOUBT, Phase.OPEN})
UNSENT = frozenset({Phase.BLOCKED, Phase.READY, Phase.RETRY})


def set_phase(state: Facts, request: int, phase: Phase) -> None:
    """Let a request stand elsewhere. What that makes of the budgets is done here, and nowhere else."""
    before = state.phases[request]
    state.phases[request] = phase
    rollout = state.rollout
    if rollout is None or not state.is_main(request):
        return
    if (before in _IN_FLIGHT) is not (phase in _IN_FLIGHT):
        _move(state, rollout, request, reserving=phase in _IN_FLIGHT)
    elif request in rollout.woken and phase is not Phase.READY:
        pass_on(state, request)


def _move(state: Facts, rollout: RolloutFacts, request: int, *, reserving: bool) -> None:
    entry, positions = state.requests.entries[request], state.positions_of(request)
    if reserving:
        rollout.woken.pop(request, None)
        rollout.ledger.reserve(entry, positions)
        return
    for cell in rollout.ledger.give_back(entry, positions):
        _unpark(state, rollout, Turn(cell, _TRIES), max(cell.room, 1))


def _unpark(state: Facts, rollout: RolloutFacts, turn: Turn, count: int) -> None:
    """Let so many requests try again, those first that came first."""
    going: list[int] = []
    parked = turn.cell.parked
    while parked and len(going) < count:
        request = parked.popleft()
        if state.phases[request] is Phase.READY:
            going.append(request)
            rollout.woken.setdefault(request, []).append(turn)
    for request in reversed(going):
        queue_of(state.lane_of(request), state, request).appendleft(request)


def pass_on(state: Facts, request: int, full: Cell | None = None) -> None:
    """A request that was let try again does not go: the next may, but not where it is `full`: a landing there wakes it.

    One that waits for `full` may keep its turn elsewhere, and passes it on if it never goes: where many wait for two limits,
    each turn would move them all from one queue to the other.
    """
    rollout = state.rollout
    turns = None if rollout is None else rollout.woken.pop(request, None)
    if rollout is None or not turns:
        return
    kept = [turn for turn in turns if turn.cell is not full and full is not None and not turn.tries]
    if kept:
        rollout.woken[request] = kept
    for turn in turns:
        if turn.cell is not full and turn not in kept:
            _unpark(state, rollout, turn if full is None else Turn(turn.cell, turn.tries - 1), 1)


def unpark_all(state: Facts) -> None:
    """Let everything that waits for room try again: asked where a run would else wait for ever."""
    if state.rollout is None:
        return
    for cell in state.rollout.ledger.cells():
        parked = list(cell.parked)
        cell.parked.clear()
        for request in reversed(parked):
            if state.phases[request] is Phase.READY:
                queue_of(state.lane_of(request), state, request).appendleft(request)


def unpark_group(state: Facts, group: int) -> None:
    """Let the requests of a group that was held try again."""
    for request in reversed(state.parked.pop(group, [])):
        if state.phases[request] is Phase.READY:
            queue_of(state.lane_of(request), state, request).appendleft(request)


def queue_of(lane: LaneFacts, state: Facts, request: int) -> deque[int]:
    """Where the request stands in line when it is ready."""
    return lane.urgent if state.requests.is_follow_up(request) else lane.ready


def make_ready(lane: LaneFacts, state: Facts, request: int) -> None:
    """Put a request at the end of those that may be sent now."""
    set_phase(state, request, Phase.READY)
    queue_of(lane, state, request).append(request)


def make_retry(lane: LaneFacts, state: Facts, request: int, at: float) -> None:
    """Let a request be sent again from `at` on."""
    set_phase(state, request, Phase.RETRY)
    heappush(lane.retries, (at, request))
