"""What was decided in a run, when and by whom: each decision is {at, what, wave, evidence, who, why}."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from runner.model import RUNNER, JsonObject
from runner.report.times import rfc3339
from runner.run import events as e
from runner.run.commands import Command
from runner.run.crawling import crawl_of, crawl_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.plan.rollout.model import PlannedWave
    from runner.run.facts import Facts

Decision = JsonObject


class DecisionLog:
    """Gathered from the events of a run."""

    def __init__(self, facts: Facts) -> None:
        rollout = facts.plan.rollout
        self._waves: tuple[PlannedWave, ...] = rollout.waves if rollout else ()
        self._groups = facts.plan.groups
        self._current: str | None = None
        self.decisions: list[Decision] = []

    def takers(self) -> dict[type, Callable[[Any], None]]:
        """What to call for each kind of event that it is told of."""
        return {kind: partial(handler, self) for kind, handler in _HANDLERS.items()}

    def of_wave(self, name: str) -> list[Decision]:
        """The decisions on one wave."""
        return [decision for decision in self.decisions if decision["wave"] == name]

    def add(self, at: float, what: str, evidence: str = "", *, who: str = "", why: str = "") -> None:
        """Note a decision on the wave that is at work."""
        self.decisions.append(
            {
                "at": rfc3339(at),
                "what": what,
                "wave": self._current,
                "evidence": evidence,
                "who": who or RUNNER,
                "why": why,
            }
        )

    def started(self, event: e.WaveStarted) -> None:
        """A wave begins."""
        self._current = self._waves[event.wave].name
        self.add(event.at, "start")

    def checked(self, event: e.Checked) -> None:
        """A check was made."""
        name = self._waves[event.wave].checks[event.check].name
        detail = f": {event.detail}" if event.detail else ""
        self.add(event.at, "check_passed" if event.passed else "check_failed", f"{name}{detail}")

    def commanded(self, event: e.Commanded) -> None:
        """A person asked for something."""
        asked = Command(event.action, event.target, event.settings).shown()
        what = event.action if event.refused is None else f"{event.action}_refused"
        evidence = asked if event.refused is None else f"{asked}: {event.refused}".removeprefix(": ")
        self.add(event.at, what, evidence, who=event.who, why=event.why)

    def left_out(self, event: e.LeftOut) -> None:
        """Another run of the family has servers."""
        what = f"{len(event.servers):,} servers of {self._groups[event.group].name}"
        self.add(event.at, "leave_out", what, why=f"run {event.run_id} has taken or done them")


_HANDLERS: dict[type, Callable[[DecisionLog, Any], None]] = {
    e.WaveStarted: DecisionLog.started,
    e.Checked: DecisionLog.checked,
    e.Commanded: DecisionLog.commanded,
    e.LeftOut: DecisionLog.left_out,
    e.ApprovalAsked: lambda log, event: log.add(event.at, "ask_approval"),
    e.WavePassed: lambda log, event: log.add(event.at, "pass"),
    e.Held: lambda log, event: log.add(event.at, "hold", event.reason, why=event.rule),
    e.Crawls: lambda log, event: log.add(event.at, "crawl", crawl_text(event.limit, event.scope, crawl_of(event))),
    e.Aborted: lambda log, event: log.add(event.at, "abort", event.reason, why=event.rule),
    e.IntakeEnded: lambda log, event: log.add(event.at, "end_intake", event.reason),
}
