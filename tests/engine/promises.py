"""What is promised, checked at every event and at every create: not only in how a run ends.

This knows the rules by itself: it counts servers and creates on its own, and compares.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any

import pytest

from runner.engine.run import Deadline
from runner.engine.submitter import INTENT_GOOD_FOR_S
from runner.journal.memory import MemoryStore
from runner.journal.store import Leased, StateFolderBusy
from runner.plan.dependencies import prerequisites
from runner.plan.keys import number_in, run_token
from runner.plan.plan import Plan
from runner.report.fold import Report
from runner.rules.answers import Cause
from runner.rules.outcomes import outcomes_of
from runner.run import events as e
from runner.run.evolve import replay
from runner.run.facts import Facts, LaneFacts, initial_facts
from runner.run.live import LiveRun
from runner.run.phases import Phase
from runner.simulator.jobs import SimulatedJob
from runner.spec.quantities import parse_rate
from tests.driving import assert_same, assert_same_queues
from tests.engine.rollout_promises import RolloutPromises
from tests.engine.virtual import VirtualClock
from tests.engine.waits import Waits

_SUCCEEDED = "s"
_UNSUBMITTED = (Phase.BLOCKED, Phase.READY, Phase.RETRY, Phase.SENT, Phase.IN_DOUBT)
INTRUDER = "intruder"
_CLOSED = {e.Settled, e.Refused, e.SetAside, e.Conflict, e.GivenUp, e.Withdrawn}
# How often a lane tells of calls that fail, seconds.
_TELLS_EVERY_S = 60.0


class Promises:
    """Looks on while a run is carried out by one process after another, and measures by what really passes.

    `last_jobs` are those of servers, of whichever run.
    """

    def __init__(self, plan: Plan, store: MemoryStore, clock: VirtualClock, last_jobs: dict[str, SimulatedJob]) -> None:
        self.may_double = self.holds_nothing = self.is_lied_to = False
        self.is_owned: Callable[[], bool] = lambda: True
        self.is_known: Callable[[str], bool] = lambda server: True
        self._sent_unowned = 0
        self.deadline: Deadline | None = None
        self.durable: list[e.Event] = []
        self._plan = plan
        self._run_id = ""
        self._store = store
        self._now, self._wall = clock.monotonic, clock.wall
        self._parts = _parts([plan.groups[request.group].lane for request in plan.requests], len(plan.lanes))
        self._needed = list(prerequisites(plan)) if plan.main_steps > 1 else None
        self._jobs: dict[str, list[SimulatedJob]] = {}
        self._last_job = last_jobs
        self._looked_at: defaultdict[int, float] = defaultdict(float)
        self._levels: dict[int, tuple[float, float]] = {}
        self.rollout = RolloutPromises(plan, plan.rollout, clock) if plan.rollout else None
        self._rate, self._concurrency = plan.submit.rate, plan.submit.concurrency

    # --- what happens -----------------------------------------------------------------------------------------------

    def process_began(
        self, run_id: str, state: Facts, journal: Iterable[e.Event], run_time: Callable[[], float]
    ) -> None:
        """Another process has read the journal: it holds what had become durable, in order. `run_time` is its clock."""
        self._run_time = run_time
        self._events = list(journal)
        assert self._events == self.durable
        self._run_id = run_id
        self._held = {
            server.id
            for request, phase in enumerate(state.phases)
            if not phase.is_over
            for server in state.requests.servers_of(request)
            if not self.holds_nothing
        }
        self._state = state
        self._recorded = len(self.durable)
        self._intended: dict[int, tuple[int, float]] = {}
        self._closed: dict[int, int] = {}
        self._in_flight: Counter[int] = Counter()
        self._not_before: dict[int, float] = {}
        self._told_failing: dict[int, float] = {}
        self._over: dict[str, str] = {}
        self._letters: Counter[str] = Counter()
        self._waits = Waits(state, self.is_known, self._plan.watch.job_timeout_s)
        if self.rollout is not None:
            self.rollout.process_began(state)
        for place, event in enumerate(self.durable):
            self._tally(event, place, live=False)
            if self.rollout is not None:
                self.rollout.tell(event, live=False)

    def recorded(self, event: e.Event) -> None:
        """The event has changed the state, and is on its way to the journal."""
        self._events.append(event)
        if isinstance(event, e.Intended):
            self._intended[event.request] = (self._recorded, self._now())
        elif isinstance(event, e.Throttled):
            self._not_before[self._state.lane_index(event.request)] = self._now() + event.pause_s
        elif isinstance(event, e.Commanded) and event.refused is None:
            self._set_pace(event.settings)
        elif isinstance(event, e.CallsFailing | e.CallsWorking):
            self._check_told(event)
        self._note_last_look(event)
        self._tally(event, self._recorded, live=True)
        if self.rollout is not None:
            self.rollout.tell(event, live=True)
        self._recorded += 1
        assert +self._state.counts == Counter(
            {o: n for o, n in outcomes_of("".join(self._letters.elements())).counts.items() if n}
        )
        self._check_bookkeeping()

    def process_ended(self, live: LiveRun) -> None:
        """Whatever it did: what its events alone tell is what it knew, and so is what is ready."""
        again = initial_facts(self._plan)
        replay(again, self._events)
        assert_same(live.facts, again)
        assert_same_queues(live, LiveRun(again))

    def wall_was_set(self, by_s: float) -> None:
        """Somebody set the wall clock, while a process was at work or between two."""
        if self.rollout is not None and by_s > 0:
            self.rollout.set_forward = True

    def released(self) -> None:
        """Somebody gave the servers of the run free, while no process had it open."""
        self._held = set()

    def written(self, events: Sequence[e.Event]) -> None:
        """The events are durable."""
        self.durable += events

    def torn(self, journal: Iterable[e.Event]) -> None:
        """The end of the journal is lost: this is left."""
        left = list(journal)
        assert left == self.durable[: len(left)]
        self.durable = left

    def sent(self, request: Mapping[str, Any]) -> int:
        """A create leaves: from the process that has the run, as it can be sure at this moment."""
        self._sent_unowned += not self.is_owned()
        index = self._request_of(request["name"])
        lane = self._state.lane_index(index)
        self._check_intent(index)
        self._check_order(index)
        servers = self._servers_expected(index)
        assert request["server_ids"] == servers != []
        self.intrude(servers)
        self._check_pace(lane)
        self._check_deadlines()
        if self.rollout is not None:
            self.rollout.sent(index, self._now() - self._intended[index][1])
        return lane

    def _request_of(self, name: str) -> int:
        number = number_in(name, run_token(self._run_id))
        place = None if number is None else self._state.requests.place_of(number)
        assert place is not None, f"nobody knows the request of {name}"
        return place

    def _servers_expected(self, request: int) -> list[str]:
        """Those that are not over; for what a rollout asks for beside, those that came out well, or that failed."""
        servers = [server.id for server in self._state.requests.servers_of(request)]
        if self._state.is_main(request):
            return [server for server in servers if server not in self._over]
        wanted = "f" if self._state.requests.is_follow_up(request) else _SUCCEEDED
        return [server for server in servers if self._over[server] == wanted]

    def answered(self, lane: int) -> None:
        """A create of the lane is over."""
        self._in_flight[lane] -= 1

    def made(self, job: SimulatedJob) -> None:
        """The service made a job: the only one of its name and at work on its servers, unless the network doubles."""
        name = job.request["name"]
        jobs = self._jobs.setdefault(name, [])
        jobs.append(job)
        there = [job for job in jobs if not job.deleted]
        assert len(there) == 1 or self.may_double, f"two jobs of {name}"
        for server in job.request["server_ids"]:
            before = self._last_job.get(server)
            alone = before is None or before.is_over(job.created_at) or _is_through(before, server, job.created_at)
            assert alone or self.may_double, f"two jobs on {server}"
            self._last_job[server] = job

    def intrude(self, servers: Collection[str]) -> None:
        """Another run asks for servers, each by itself, and gets none that anything is left to do on."""
        for server in self._held.intersection(servers):
            with suppress(StateFolderBusy), pytest.raises(Leased, match=self._run_id):
                self._store.lease(INTRUDER, [server])

    def kept_by(self, report: Report, last_look: float, lag_s: float) -> None:
        """Every job that could be seen at the last look at the list is in the report, and every second one is told of.

        `last_look` is when the run looked last, monotonic seconds; a job is listed `lag_s` after it is made. A lane may look
        earlier: once nothing is left to do, and every job of a create that had no answer is listed.
        """
        # Counted, for what ends a process that has lost its run hides whatever else went wrong in it.
        assert not self._sent_unowned
        told = {job["name"]: job for job in report["jobs"]}
        aborted = report["run"]["state"] == "aborted"
        if self._state.stop_reason is not None:  # somebody stopped what was aborted already, before it looked
            last_look = -math.inf
        for name, jobs in self._jobs.items():
            is_unseen = aborted or any(job.deleted for made in self._jobs.values() for job in made)
            # Of a failure that nobody looked into any more, or knows of: the job that failed is deleted. Or of a request
            # that was refused and split, and the last list proved nothing.
            if name not in told and (is_unseen or (self.may_double and self.is_lied_to)):
                continue
            there = [job for job in jobs if not job.deleted]
            looked_at = min(last_look, self._looked_at[self._state.lane_index(self._request_of(name))])
            seen = [job.job_id for job in there if not self.may_double or job.created_at <= looked_at - lag_s]
            said = [told[name]["job_id"], (told[name]["error"] or {}).get("message", "")]
            # Where a lane was stopped and the campaign aborted before anybody could look, all that can be told is the doubt.
            is_conflict = told[name]["state"] == "conflict"
            is_told = is_conflict or (aborted and told[name]["state"] == "in_doubt")
            # The last list may have proven nothing; then a double of the network's own making is not told of.
            assert len(seen) < 2 or is_told or (self.may_double and self.is_lied_to), f"two jobs of {name} are hidden"
            # After an abort what was found late is not looked into any more, and what is made later is not known.
            # Of an earlier step of the same servers it is told that it is in doubt: then of the later one nothing is.
            in_doubt = aborted and told[name]["state"] in {"in_doubt", "void"}
            in_doubt |= self.may_double and told[name]["state"] in {"planned", "withdrawn"}
            # One that was given up may be in conflict from before: the list was found to prove nothing of it.
            is_given_up = told[name]["state"] == "given_up" or (is_conflict and told[name]["job_id"] is None)
            in_doubt |= self.is_lied_to and (self.may_double or is_given_up)
            is_told = all(any(job_id in text for text in said if text) for job_id in seen)
            assert in_doubt or is_told, f"a job of {name} is hidden"

    # --- rules ------------------------------------------------------------------------------------------------------

    def _check_intent(self, request: int) -> None:
        """Nothing is sent without a durable intent of this process, nor on an old one, nor after a stop."""
        state, lane = self._state, self._state.lane_of(request)
        place, at = self._intended[request]
        assert place < len(self.durable)
        assert self.durable[place].kind == "intended"
        assert self._now() - at <= INTENT_GOOD_FOR_S
        assert state.phases[request] is Phase.SENT
        assert request not in state.job_ids
        assert not state.over
        assert not state.is_waiting_for_person
        assert lane.stopped is None
        assert lane.unsurveyed_since is None

    def _note_last_look(self, event: e.Event) -> None:
        """A lane looks for second jobs when it has nothing left to do, and all of them are listed."""
        if not isinstance(event, e.Intended | e.Accepted | e.Settled | e.InDoubt | e.Refused):
            return
        is_doubted = isinstance(event, e.InDoubt) or (isinstance(event, e.Refused) and event.cause is Cause.BUSY)
        at = self._now() + (self._plan.submit.settle_s if is_doubted else 0.0)
        lane = self._state.lane_index(event.request)
        self._looked_at[lane] = max(self._looked_at[lane], at)

    def _check_told(self, event: e.CallsFailing | e.CallsWorking) -> None:
        """However many calls fail, a lane tells of it once a minute, and once when it is over."""
        told_at = self._told_failing.pop(event.lane, None)
        if isinstance(event, e.CallsFailing):
            assert told_at is None or self._now() - told_at >= _TELLS_EVERY_S - 0.1
            assert event.failed >= max(1, event.jobs, event.doubts)
            self._told_failing[event.lane] = self._now()
        else:
            assert told_at is not None

    def _check_deadlines(self) -> None:
        """Neither the one that the process was given, by the wall clock, nor the rollout's own."""
        assert self.deadline is None or self._wall() < self.deadline.at, "sent after the deadline"
        rollout = self._state.rollout
        if rollout is not None and rollout.deadline is not None:
            now = self._wall() if rollout.deadline.by_wall else self._run_time()
            assert now < rollout.deadline.at, "sent after the rollout's deadline"

    def _check_order(self, request: int) -> None:
        """How the requests ended that hold its servers in the step before is durable, too."""
        planned = request < len(self._plan.requests) and request not in self._state.requests.pieces
        for earlier in self._needed[request] if self._needed and planned else ():
            if earlier in self._state.requests.pieces:
                continue
            assert self._closed[earlier] < len(self.durable)

    def _check_pace(self, lane: int) -> None:
        """A bucket that drains at the rate never overflows: no stretch of time has more than rate x T + burst."""
        now = self._now()
        self._in_flight[lane] += 1
        assert self._in_flight[lane] <= self._concurrency
        assert now >= self._not_before.get(lane, now) - 1e-6
        if math.isfinite(self._rate):
            level, before = self._levels.get(lane, (0.0, now))
            level = max(0.0, level - self._rate * (now - before)) + 1
            assert level <= self._plan.submit.burst + 1e-6
            self._levels[lane] = level, now

    def _set_pace(self, settings: Mapping[str, str]) -> None:
        """The loosest pace that was ever asked for is held against all that follows."""
        if "rate" in settings:
            self._rate = max(self._rate, parse_rate(settings["rate"]) or 0.0)
        if "concurrency" in settings:
            self._concurrency = max(self._concurrency, int(settings["concurrency"]))

    def _check_bookkeeping(self) -> None:
        """What is counted on the side is what the phases say."""
        phases = bytes(self._state.phases)
        for lane, parts in zip(self._state.lanes, self._parts, strict=True):
            mine = b"".join(phases[part] for part in parts) + self._phases_beyond(lane)
            assert lane.in_flight == mine.count(Phase.SENT)
            assert len(lane.doubts) == mine.count(Phase.IN_DOUBT)
            assert len(lane.open) == mine.count(Phase.OPEN)
            assert lane.unsubmitted == sum(map(mine.count, _UNSUBMITTED))

    def _phases_beyond(self, lane: LaneFacts) -> bytes:
        state, planned = self._state, len(self._plan.requests)
        return bytes(state.phases[r] for r in range(planned, len(state.requests)) if state.lane_of(r) is lane)

    def _tally(self, event: e.Event, place: int, *, live: bool) -> None:
        """Count the servers that are over: those of a last step, and those that did not get through one before."""
        self._waits.tell(event, live=live)
        if isinstance(event, e.LeftOut):
            self._held.difference_update(event.servers)
        if isinstance(event, e.Included):
            for included in self._state.requests.servers_of(event.request):
                self._letters[self._over.pop(included.id)] -= 1
        if type(event) not in _CLOSED or (isinstance(event, e.Refused | e.SetAside) and event.retry_at is not None):
            return
        assert isinstance(event, e.Settled | e.Refused | e.SetAside | e.Conflict | e.GivenUp | e.Withdrawn)
        self._closed[event.request] = place
        if not self._state.is_main(event.request):
            return
        servers = [s.id for s in self._state.requests.servers_of(event.request) if s.id not in self._over]
        letters = event.outcomes if isinstance(event, e.Settled) else _letter(event) * len(servers)
        if self.rollout is not None:
            really_at = self._now() - (self._run_time() - event.at)
            self.rollout.closed(event.request, servers, letters, really_at if live else None)
        last = self._state.requests[event.request].step == self._plan.main_steps - 1
        for server, letter in zip(servers, letters, strict=True):
            if last or letter != _SUCCEEDED:
                self._over[server] = letter
                self._letters[letter] += 1


def _is_through(job: SimulatedJob, server: str, at: float) -> bool:
    """Whether nothing more happens on the server, though the job may go on with others: it was skipped, say."""
    return any(task.server_id == server and task.ends_at is not None and task.ends_at <= at for task in job.tasks)


def _letter(event: e.Refused | e.SetAside | e.Conflict | e.GivenUp | e.Withdrawn) -> str:
    if isinstance(event, e.Withdrawn):
        return "x" if event.who else "n"
    return "n" if isinstance(event, e.Refused | e.SetAside) else "u"


def _parts(lane_of: Sequence[int], lanes: int) -> list[list[slice]]:
    """For each lane, the stretches of requests that are its own."""
    parts: list[list[slice]] = [[] for _ in range(lanes)]
    start = 0
    for lane, stretch in groupby(lane_of):
        stop = start + len(list(stretch))
        parts[lane].append(slice(start, stop))
        start = stop
    return parts
