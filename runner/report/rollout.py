"""What a report says of a rollout: its waves, what was decided and by whom, what was used of the budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.report.times import rfc3339
from runner.run import events as e

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.plan.plan import Plan
    from runner.plan.rollout.model import PlannedWave
    from runner.rules.budget import Ledger
    from runner.run.waves import RolloutFacts, WaveFacts

Decision = dict[str, Any]


def wave_part(wave: WaveFacts) -> dict[str, Any]:
    """One wave as it stands, without its counts and decisions."""
    return {
        "name": wave.plan.name,
        "state": wave.stage.value,
        "servers": wave.plan.servers,
        "started_at": rfc3339(wave.started_at),
        "finished_at": rfc3339(wave.over_at),
        "passed_at": rfc3339(wave.passed_at),
    }


def budget_part(ledger: Ledger) -> dict[str, Any]:
    """Each limit, of how many servers it is, and the most that was ever spent and in flight at once."""
    limits = [
        {
            "name": cell.limit.name,
            "scope": cell.limit.scope,
            "counts": cell.limit.counts,
            "most": cell.most,
            "of": cell.limit.total,
            "spent": cell.spent,
            "peak": cell.peak,
        }
        for cell in ledger.cells()
    ]
    return {"limits": limits}


def evidence_part(rollout: RolloutFacts) -> dict[str, Any] | None:
    """What the sequential test says, and how it came to that; None where none is asked for."""
    evidence = rollout.evidence
    if evidence is None:
        return None
    return {
        "verdict": evidence.verdict.value,
        "abnormal": evidence.abnormal,
        "normal": evidence.normal,
        "evidence": round(evidence.log_alarm, 3),
        "boundary": round(evidence.alarm_boundary, 3),
        "curve": [
            {"servers": servers, "abnormal": abnormal, "evidence": round(log_alarm, 3)}
            for servers, abnormal, log_alarm in rollout.curve
        ],
    }


class DecisionStory:
    """What was decided, gathered from the events of a run: each is {at, what, wave, evidence, who, why}."""

    def __init__(self, plan: Plan) -> None:
        self._waves: tuple[PlannedWave, ...] = plan.rollout.waves if plan.rollout else ()
        self._current: str | None = None
        self.decisions: list[Decision] = []

    def tell(self, event: e.Event) -> None:
        """Go on with the next event."""
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

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
                "who": who or "runner",
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
        settings = " ".join(f"{name}={value}" for name, value in event.settings.items())
        asked = " ".join(part for part in (event.target, settings) if part)
        what = event.action if event.refused is None else f"{event.action}_refused"
        evidence = asked if event.refused is None else f"{asked}: {event.refused}".removeprefix(": ")
        self.add(event.at, what, evidence, who=event.who, why=event.why)


_HANDLERS: dict[type, Callable[[DecisionStory, Any], None]] = {
    e.WaveStarted: DecisionStory.started,
    e.Checked: DecisionStory.checked,
    e.Commanded: DecisionStory.commanded,
    e.ApprovalAsked: lambda story, event: story.add(event.at, "ask_approval"),
    e.WavePassed: lambda story, event: story.add(event.at, "pass"),
    e.Held: lambda story, event: story.add(event.at, "hold", event.reason, why=event.rule),
    e.Aborted: lambda story, event: story.add(event.at, "abort", event.reason, why=event.rule),
    e.IntakeEnded: lambda story, event: story.add(event.at, "end_intake", event.reason),
}
