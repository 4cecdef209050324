"""What is true of a run: the fold of its events so far.

`Facts` are changed in place by `runner.run.evolve.evolve` and by nothing else, so that one event costs the same whatever
the size of the fleet; everyone else reads them. What is ready to be done follows from them: `runner.run.dispatch`.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from runner.plan.dependencies import prerequisites
from runner.rules.durations import Durations
from runner.run.phases import IN_FLIGHT, UNSENT, Phase
from runner.run.requests import RequestTable
from runner.run.waves import RolloutFacts, Stage, WaveFacts, initial_rollout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.model import Outcome, RunState, Server
    from runner.plan.plan import Plan
    from runner.rules.answers import ServiceError
    from runner.rules.budget import Cell
    from runner.rules.outcomes import Outcomes
    from runner.run.events import CallsFailing
    from runner.run.pacing import Slowed, Stretch


class Doubt(NamedTuple):
    """A request in doubt, and since when."""

    since: float


class Busy(NamedTuple):
    """A request whose servers are in another operation: since when that is known, and how often the service said so.

    Both begin anew when a run is resumed: `since` is infinity until the service says so again.
    `looked_up`: no job of its own was found that this could be, and it was not in doubt since.
    """

    since: float
    answers: int
    looked_up: bool = False


class OpenJob(NamedTuple):
    """A job that is not over. `servers` are those that count as at work while it is: not of checks, nor after failures."""

    job_id: str
    accepted_at: float
    servers: int = 0


@dataclass(slots=True)
class LaneFacts:
    """One lane's part. `unsubmitted` counts requests that may still be sent, or sent again, `excluded` those withdrawn.

    `ever_busy` are requests that were refused because a server of theirs is in another operation. `refused_in_a_row`
    counts requests for several servers that were refused for what they ask since the last one that was taken.
    `doubted_at` is when a create of such a request, or one without an answer, was sent last and may have made a job unseen.
    `not_found` are those in doubt that were taken to have made no job, because a list showed none. `slowed` is how the
    service throttled the lane last.
    """

    in_flight: int = 0
    doubts: dict[int, Doubt] = field(default_factory=dict)
    ever_in_doubt: set[int] = field(default_factory=set)
    ever_busy: set[int] = field(default_factory=set)
    doubted_at: float = -math.inf
    not_found: set[int] = field(default_factory=set)
    open: dict[int, OpenJob] = field(default_factory=dict)
    unsubmitted: int = 0
    excluded: int = 0
    accepted: int = 0
    proven: bool = False  # the service took a request of ours: until then one at a time is risked
    unsurveyed_since: float | None = None  # resumed after a crash: nothing is sent before the names were looked up
    unauthenticated_in_a_row: int = 0
    refused_in_a_row: int = 0
    unreachable_since: float | None = None  # no call has come through since: one at a time is tried, at `try_again_at`
    try_again_at: float = 0.0
    stopped: ServiceError | None = None
    stopped_at: float | None = None
    slowed: Slowed | None = None
    watched: bool = True  # False: it stopped because its jobs cannot be read
    failing: CallsFailing | None = None  # what was told last of calls that fail, for as long as they do


class StopRule(StrEnum):
    """The rules that hold or abort a campaign."""

    BUDGET = "budget"
    SEQUENTIAL = "sequential"
    UNSURE = "unknown"
    CHECK = "check"
    WINDOW = "window"
    NOTHING_SUCCEEDED = "nothing_succeeded"
    CRAWL = "crawl"


class Hold(NamedTuple):
    """Why a person must decide before a run goes on: the rule, its evidence, the limit where one is reached."""

    rule: StopRule
    reason: str
    limit: str | None = None
    since: float | None = None


class Exclusion(NamedTuple):
    """Who left a request's servers out, and why. `who` is empty where the journal does not tell.

    `is_sure`: nothing was sent. Else the end of a journal may be lost that told of it, and nobody could look.
    """

    who: str
    why: str
    ids: frozenset[str]
    is_sure: bool = True


class DueExclusion(NamedTuple):
    """Servers that a person excluded while it was not known what was sent on these lanes (`runner.run.due`)."""

    ids: frozenset[str]
    who: str
    why: str
    lanes: frozenset[int]


@dataclass(slots=True)
class Controls:
    """What people asked of a run while it went on. `held` is why a person must decide before it goes on.

    `paused_since` is when it was paused last, `held_groups` are groups that are held, and since when.
    `rate` and `concurrency` replace those of the plan. `last_command` is the newest command that was taken in. `due` are
    servers that are left out as soon as it is known what was sent.
    """

    paused: bool = False
    paused_since: float | None = None
    held: Hold | None = None
    held_groups: dict[int, float] = field(default_factory=dict)
    rate: float | None = None
    concurrency: int | None = None
    last_command: int = 0
    due: list[DueExclusion] = field(default_factory=list)


_CUT_SHORT = frozenset({Stage.SOAKING, Stage.CHECKING, Stage.AWAITING_APPROVAL})


@dataclass(slots=True)
class Facts:
    """What is true of a run. Lists are indexed by the request's place in `requests`.

    `attempts` are those that count against `submit.attempts`, `sent` all of them. `retry_at` is when a refused request may
    be sent again, epoch seconds; `busy` are those that wait for their servers. `longest_s` is how long the longest job of
    each step took so far, seconds. `errors` is the last thing that went wrong with a request, `outcomes` how its servers
    ended. `counts` are servers whose outcome is final.

    `left_behind` are, per group, the servers that did not succeed in an earlier step. `suspected` are blocked requests that
    the list shows a job of; `foreseen` are numbers of requests yet to come to be, of which it shows one; `unasked` are
    requests that follow a failure which is not known of. `conflict_jobs` are all the jobs of requests that have more than
    their own. `job_ids` are the jobs of requests.

    `checked` are the servers of checks that are settled: a job of a check that a torn journal lost may be found to be over
    before the step before it is, and whoever comes out of that badly was checked all the same.

    `intake_ended` is why nothing new is sent any more, though what is in flight is followed to its end; `aborted` is why
    the campaign was aborted, which means that, too, and for good. `over_since` is when the first of these was said.

    `at_work` counts servers whose job is. `durations` are of jobs of each step, without a rollout not of all.
    `last_intent_at` is when a request was intended last, `stretch` from when on that went without a break.

    `moved` are the requests that the last event made ready to be sent, or not any more, `freed` the limits that it made
    room at.
    """

    plan: Plan
    requests: RequestTable
    phases: list[Phase]
    attempts: list[int]
    sent: list[int]
    blocked_by: list[int]
    dependents: list[list[int]]
    lanes: list[LaneFacts]
    left_behind: list[set[str]]
    left_out: list[dict[str, str]]
    rollout: RolloutFacts | None = None
    controls: Controls = field(default_factory=Controls)
    counts: Counter[Outcome] = field(default_factory=Counter)
    retry_at: dict[int, float] = field(default_factory=dict)
    busy: dict[int, Busy] = field(default_factory=dict)
    longest_s: list[float] = field(default_factory=list)
    job_ids: dict[int, str] = field(default_factory=dict)
    errors: dict[int, ServiceError] = field(default_factory=dict)
    outcomes: dict[int, Outcomes] = field(default_factory=dict)
    exclusions: dict[int, Exclusion] = field(default_factory=dict)
    suspected: set[int] = field(default_factory=set)
    conflict_jobs: dict[int, tuple[str, ...]] = field(default_factory=dict)
    foreseen: set[int] = field(default_factory=set)
    unasked: set[int] = field(default_factory=set)
    checked: dict[int, Sequence[Server]] = field(default_factory=dict)
    accepted: int = 0
    adopted: int = 0
    settled: int = 0
    refused: int = 0
    watched: bool = True
    simulated: bool = False
    runner_version: str | None = None
    started_at: float | None = None
    stop_reason: str | None = None
    intake_ended: str | None = None
    aborted: str | None = None
    over_since: float | None = None
    at_work: int = 0
    durations: list[Durations] = field(default_factory=list)
    last_intent_at: float | None = None
    stretch: Stretch | None = None
    ending: RunEnding | None = None
    moved: list[int] = field(default_factory=list)
    freed: list[Cell] = field(default_factory=list)

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

    @property
    def ended(self) -> RunState | None:
        """How the run was left by the process that carried it out last; None while one does."""
        return self.ending.state if self.ending else None

    @property
    def conflicts(self) -> int:
        """How many requests have more jobs than their own."""
        return len(self.conflict_jobs)

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

    def stage_of(self, wave: WaveFacts) -> Stage:
        """Where a wave stands: of an aborted campaign nothing goes on, once what was in flight is over."""
        is_cut_short = wave.stage in _CUT_SHORT or (wave.stage is Stage.RUNNING and not self.is_anything_open)
        return Stage.ABORTED if self.aborted is not None and is_cut_short else wave.stage

    @property
    def started(self) -> int:
        """Servers that were started, and those that will not be any more: how far the run got."""
        return sum(self.counts.values()) + (self.at_work if self.rollout is None else self.rollout.ledger.in_flight)

    @property
    def is_anything_open(self) -> bool:
        """Whether a request is on its way, in doubt, or has a job at work."""
        return any(lane.in_flight or lane.doubts or lane.open for lane in self.lanes)

    def waits_for_step(self, request: int) -> bool:
        """Whether the step before is not over for all of the request's servers."""
        if self.rollout is None or not self.is_main(request):
            return self.blocked_by[request] > 0
        begun = self.rollout.waves[self.requests.entries[request].wave].started_at is not None
        return self.blocked_by[request] > (0 if begun else 1)

    def is_surely_unsent(self, request: int) -> bool:
        """Whether a request that looks as if it was not sent was not: else nobody could look, and nobody will any more."""
        if request in self.exclusions:
            return self.exclusions[request].is_sure
        is_over = self.ending is not None and self.ending.state.is_over
        return not is_over or self.lane_of(request).unsurveyed_since is None

    def is_main(self, request: int) -> bool:
        """Whether the request is of a step that every server goes through, not of a check or after a failure."""
        return self.requests.entries[request].step < self.plan.main_steps


class RunEnding(NamedTuple):
    """How the process that carried the run out ended it."""

    at: float
    state: RunState
    reason: str
    exit_code: int


def initial_facts(plan: Plan) -> Facts:
    """What is true of a run of which nothing has happened yet."""
    count = len(plan.requests)
    durations = [Durations() for _ in plan.steps]
    facts = Facts(
        plan=plan,
        requests=RequestTable(plan),
        phases=[Phase.READY] * count,
        attempts=[0] * count,
        sent=[0] * count,
        blocked_by=[0] * count,
        dependents=[],
        lanes=[LaneFacts() for _ in plan.lanes],
        left_behind=[set() for _ in plan.groups],
        left_out=[{} for _ in plan.groups],
        longest_s=[0.0] * len(plan.steps),
        rollout=initial_rollout(plan, durations),
        durations=durations,
    )
    if plan.main_steps > 1:
        _block_later_steps(facts)
    if facts.rollout is not None:
        _block_waves(facts)
    for request in plan.requests:
        facts.lanes[plan.groups[request.group].lane].unsubmitted += 1
    return facts


def _block_later_steps(facts: Facts) -> None:
    facts.dependents = [[] for _ in facts.phases]
    for index, needed in enumerate(prerequisites(facts.plan)):
        if needed:
            facts.phases[index] = Phase.BLOCKED
            facts.blocked_by[index] = len(needed)
        for earlier in needed:
            facts.dependents[earlier].append(index)


def _block_waves(facts: Facts) -> None:
    """Every request waits for its wave to begin, or for its check."""
    for index in range(len(facts.phases)):
        facts.phases[index] = Phase.BLOCKED
        facts.blocked_by[index] += 1


def set_phase(facts: Facts, request: int, phase: Phase) -> None:
    """Let a request stand elsewhere. What that makes of the budgets is done here, and nowhere else."""
    before = facts.phases[request]
    facts.phases[request] = phase
    if before in UNSENT or phase in UNSENT:
        facts.moved.append(request)
    rollout = facts.rollout
    if rollout is None or (before in IN_FLIGHT) is (phase in IN_FLIGHT) or not facts.is_main(request):
        return
    entry, positions = facts.requests.entries[request], facts.positions_of(request)
    if phase in IN_FLIGHT:
        rollout.ledger.reserve(entry, positions)
    else:
        facts.freed.extend(rollout.ledger.give_back(entry, positions))
