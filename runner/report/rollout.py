"""What a report says of a rollout: its waves, what was used of the budgets, the evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.report.times import rfc3339

if TYPE_CHECKING:
    from runner.model import JsonObject
    from runner.rules.budget import Ledger
    from runner.run.facts import Facts
    from runner.run.waves import RolloutFacts, WaveFacts


def wave_part(facts: Facts, wave: WaveFacts) -> JsonObject:
    """One wave as it stands, without its counts and decisions."""
    return {
        "name": wave.plan.name,
        "state": facts.stage_of(wave).value,
        "servers": wave.plan.servers,
        "started_at": rfc3339(wave.started_at),
        "finished_at": rfc3339(wave.over_at),
        "passed_at": rfc3339(wave.passed_at),
    }


def budget_part(ledger: Ledger) -> JsonObject:
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


def evidence_part(rollout: RolloutFacts) -> JsonObject | None:
    """What the sequential test says, and how it came to that; None where none is asked for."""
    evidence = rollout.evidence
    if evidence is None:
        return None
    return {
        "verdict": evidence.conclusion.value,
        "abnormal": evidence.abnormal,
        "normal": evidence.normal,
        "evidence": round(evidence.log_alarm, 3),
        "boundary": round(evidence.alarm_boundary, 3),
        "curve": [
            {"servers": servers, "abnormal": abnormal, "evidence": round(log_alarm, 3)}
            for servers, abnormal, log_alarm in rollout.curve
        ],
    }
