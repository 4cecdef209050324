"""A run that is told event by event, for tests that say exactly what happened."""

from __future__ import annotations

from runner.plan.plan import Plan
from runner.rules.answers import Cause, ServiceError
from runner.run import events as e
from runner.run.commands import Command, refusal
from runner.run.decisions import Decision
from runner.run.excluding import exclusions, inclusions, matching_servers
from runner.run.facts import Facts, initial_facts
from runner.run.gate import GateStep, Patience, Record
from runner.run.live import LiveRun
from runner.run.standing import Standing, standing
from tests.driving import job_of

BROKEN = ServiceError(None, None, "made up", None)
WHO = "someone"


class ByHand:
    """A run at work, from its start on. `now` only moves when a test moves it."""

    def __init__(self, plan: Plan, now: float = 1000.0, *, watched: bool = True) -> None:
        self.plan = plan
        self.live = LiveRun(initial_facts(plan))
        self.events: list[e.Event] = []
        self.now = now
        self._commands = 0
        self.record(e.RunStarted(now, "c", plan.plan_hash, "0", simulated=False, watched=watched))

    @property
    def facts(self) -> Facts:
        return self.live.facts

    def record(self, *events: e.Event) -> None:
        for event in events:
            self.live.apply(event)
            self.events.append(event)

    def decide(self, lane: int = 0) -> Decision:
        return self.live.decide(lane, self.now)

    def gate(self, patience: Patience = Patience()) -> GateStep:  # noqa: B008  it cannot be changed
        return self.live.next_step(self.now, patience)

    def look(self) -> Standing:
        """How it stands, for whoever has no lanes at work."""
        return standing(self.facts, self.now, self.live.sight(self.now))

    def pass_gates(self) -> None:
        """Record what the gate asks for, until it asks for nothing."""
        while isinstance(step := self.gate(), Record):
            self.record(step.event)

    def send(self, *requests: int) -> None:
        """They are sent, and have their jobs."""
        for request in requests:
            self.record(e.Intended(self.now, request), e.Accepted(self.now, request, job_of(request)))

    def settle(self, request: int, outcomes: str) -> None:
        self.record(e.Settled(self.now, request, outcomes, 60.0))

    def do(self, request: int, outcomes: str) -> None:
        """It is sent, and its servers end so."""
        self.send(request)
        self.settle(request, outcomes)

    def refuse(self, request: int) -> None:
        self.record(e.Intended(self.now, request), e.Refused(self.now, request, Cause.INVALID, BROKEN, None))

    def stop_lane(self, lane: int, *, watched: bool = True) -> None:
        self.record(e.LaneStopped(self.now, lane, BROKEN, watched))

    def ask(self, action: str, target: str = "", **settings: str) -> str | None:
        """Carry a command out as a run at work does; why not, where it makes no sense."""
        command = Command(action, target, settings)
        refused = refusal(self.facts, command)
        if refused is None and action in {"exclude", "include"}:
            ids = matching_servers(self.plan, target)
            is_out = action == "exclude"
            changes = exclusions(self.facts, ids, self.now, WHO) if is_out else inclusions(self.facts, ids, self.now)
            for event in changes:
                self.record(event)
        self._commands += 1
        self.record(e.Commanded(self.now, self._commands, action, target, settings, WHO, "", refused))
        return refused
