"""Drives a run's deciding with events alone: no service, no journal, no clock; what happens next is drawn."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from enum import Enum
from random import Random

from runner.model import Job, Server
from runner.plan.plan import Plan
from runner.plan.rollout.limits import value_getter
from runner.rules.budget import Cell
from runner.run import events as e
from runner.run.decisions import LeaveOut, Send, SplitUp, WaitUntil
from runner.run.evolve import replay
from runner.run.excluding import exclusions
from runner.run.facts import Facts, initial_facts
from runner.run.gate import Patience, Record, Sleep
from runner.run.live import LiveRun
from runner.run.phases import Phase

Letter = Callable[[Server], str]
ABNORMAL = "ftu"


def job_of(request: int) -> Job:
    return Job(f"job-{request}", None, None, None, None, None, None, None, None)


class Drive:
    """A run. Every event is checked against limits that are counted anew here, server by server."""

    def __init__(self, plan: Plan, seed: int, letter: Letter = lambda _: "s") -> None:
        self.plan = plan
        self.live = LiveRun(initial_facts(plan))
        self.events: list[e.Event] = []
        self.now = 0.0
        self.chance = Random(seed)
        self.letter = letter
        self.ends: dict[str, str] = {}
        self.stalled = False
        self._sent: set[int] = set()
        self._open: set[int] = set()
        self._watch = Accounts(plan)
        self.record(e.RunStarted(0.0, "c", plan.plan_hash, "0", simulated=True, watched=True))

    @property
    def state(self) -> Facts:
        return self.live.facts

    def record(self, event: e.Event) -> None:
        self.live.apply(event)
        self.events.append(event)
        self._watch.check(self.state)

    def run(self) -> e.Held | e.Aborted | None:
        """Until nothing can happen any more, or a person must decide; that event then."""
        while True:
            actions = list(self.actions())
            if not actions:
                return None
            self.now += 1.0
            self.chance.choice(actions)()
            last = self.events[-1]
            if isinstance(last, e.Held | e.Aborted):
                return last

    def forget(self) -> None:
        """Go on with what the events alone tell."""
        again = initial_facts(self.plan)
        replay(again, self.events)
        assert_same(self.live.facts, again)
        assert_same_queues(self.live, LiveRun(again))
        self.live = LiveRun(again)

    def command(self, action: str, target: str = "", **settings: str) -> None:
        self.record(e.Commanded(self.now, len(self.events), action, target, settings, "me", "", None))

    def exclude(self, ids: set[str]) -> None:
        self.command("exclude", ",".join(ids))
        for event in exclusions(self.state, ids, self.now):
            self._note(event)

    @property
    def in_flight(self) -> bool:
        return bool(self._sent or self._open)

    def actions(self) -> Iterator[Callable[[], None]]:
        step = self.live.next_step(self.now, Patience())
        if isinstance(step, Record):
            yield lambda: self.record(step.event)
        waits = isinstance(step, Sleep)
        for lane in range(len(self.state.lanes)):
            command = self.live.decide(lane, self.now)
            if isinstance(command, Send):
                yield lambda request=command.request: self._send(request)  # type: ignore[misc]
            elif isinstance(command, SplitUp):
                yield lambda split=command: self.record(e.Split(self.now, split.request, split.cut))  # type: ignore[misc]
            elif isinstance(command, LeaveOut):
                yield lambda left=command: self.record(e.Withdrawn(self.now, left.request))  # type: ignore[misc]
            else:
                assert not isinstance(command, WaitUntil)
        for request in sorted(self._sent):
            yield lambda request=request: self._answer(request)  # type: ignore[misc]
        for request in sorted(self._open):
            yield lambda request=request: self._settle(request)  # type: ignore[misc]
        self.stalled = waits

    def _send(self, request: int) -> None:
        self.record(e.Intended(self.now, request))
        self._sent.add(request)

    def _answer(self, request: int) -> None:
        self._sent.discard(request)
        if self.chance.random() < 0.05:
            self.record(e.Lapsed(self.now, request))
            return
        self.record(e.Accepted(self.now, request, job_of(request)))
        self._open.add(request)

    def _settle(self, request: int) -> None:
        self._open.discard(request)
        self._note(e.Settled(self.now, request, "".join(map(self.letter, self.state.servers_of(request))), 60.0))

    def _note(self, event: e.Settled | e.Withdrawn | e.Split) -> None:
        """An event that ends servers, perhaps. A server that failed has its end, one that succeeded in its last step."""
        if not isinstance(event, e.Split):
            servers = self.state.servers_of(event.request)
            letters = event.outcomes if isinstance(event, e.Settled) else "n" * len(servers)
            last = self.state.requests.entries[event.request].step == self.plan.main_steps - 1
            for server, letter in zip(servers, letters, strict=True):
                if letter != "s" or last:
                    assert server.id not in self.ends
                    self.ends[server.id] = letter
                    self._watch.ended(server, letter)
        self.record(event)


def assert_same(one: object, other: object, path: str = "facts") -> None:
    """Two values are alike, whatever they are made of; what the last event moved is no part of the facts."""
    assert type(one) is type(other), path
    if isinstance(one, list | tuple | deque):
        assert isinstance(other, list | tuple | deque)
        assert len(one) == len(other), path
        for place, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            assert_same(mine, theirs, f"{path}[{place}]")
    elif isinstance(one, Counter):
        assert isinstance(other, Counter)
        assert +one == +other, path
    elif isinstance(one, dict):
        assert isinstance(other, dict)
        assert one.keys() == other.keys(), path
        for key in one:
            assert_same(one[key], other[key], f"{path}[{key}]")
    elif type(one).__module__.startswith("runner.") and not isinstance(one, Enum):
        for name in _fields(one):
            if name not in {"moved", "freed", "plan", "_plan", "rules", "_needs_of"}:  # the last only remembers
                assert_same(getattr(one, name), getattr(other, name), f"{path}.{name}")
    else:
        assert one == other, path


def _fields(value: object) -> list[str]:
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    return slots or list(vars(value))


def assert_same_queues(live: LiveRun, replayed: LiveRun) -> None:
    """Whatever may be sent has its one place in a queue, in a run at work as in one that was taken up again."""
    waiting = sorted(live.dispatcher.waiting())
    assert waiting == sorted(replayed.dispatcher.waiting())
    unsent = (Phase.READY, Phase.RETRY)
    assert waiting == [request for request, phase in enumerate(live.facts.phases) if phase in unsent]


class Accounts:
    """The limits of a plan, counted the slow way."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._letters: dict[str, str] = {}
        self._peaks: dict[tuple[str, str], int] = {}
        assert plan.rollout is not None
        self._scopes: dict[str, set[str]] = {}
        everyone = [server for group in plan.groups for server in group.servers]
        for group in plan.groups:
            self._scopes.setdefault("campaign", set()).update(server.id for server in group.servers)
            self._scopes[f"group {group.name}"] = {server.id for server in group.servers}
        for index, request in enumerate(plan.requests):
            name = f"wave {plan.rollout.waves[request.wave].name}"
            self._scopes.setdefault(name, set()).update(server.id for server in plan.servers_of(index))
        for rule in plan.rollout.budget.per:
            value_of = value_getter(rule.expression)
            for server in everyone:
                self._scopes.setdefault(f"{rule.expression}={value_of(server)}", set()).add(server.id)

    def ended(self, server: Server, letter: str) -> None:
        self._letters[server.id] = letter

    def check(self, state: Facts) -> None:
        """Nothing in flight and spent is above a limit, and the ledger knows both."""
        assert state.rollout is not None
        in_flight = {
            server.id
            for request, phase in enumerate(state.phases)
            if phase in {Phase.SENT, Phase.OPEN} and state.is_main(request)
            for server in state.servers_of(request)
        }
        assert state.rollout.ledger.in_flight == len(in_flight)
        for cell in state.rollout.ledger.cells():
            self._check_cell(cell, in_flight)

    def _check_cell(self, cell: Cell, in_flight: set[str]) -> None:
        scope = self._scopes[cell.limit.scope]
        bad = "k" if cell.limit.counts == "skipped" else ABNORMAL
        spent = sum(letter in bad and server in scope for server, letter in self._letters.items())
        key = (cell.limit.name, cell.limit.scope)
        self._peaks[key] = max(self._peaks.get(key, 0), spent + len(in_flight & scope))
        assert (cell.spent, cell.in_flight) == (spent, len(in_flight & scope))
        assert cell.peak == self._peaks[key]
        assert cell.spent + cell.in_flight <= cell.most
