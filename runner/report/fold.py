"""The report, in the shape of `schemas/report.schema.json`: the facts of a run, and details collected beside them.

Nothing in it depends on when it is made, so that the report of a finished run is always the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner.model import JsonObject, Outcome, RunState
from runner.plan.keys import run_token
from runner.report.causes import causes_part
from runner.report.details import Details
from runner.report.jobs import job_parts
from runner.report.rollout import budget_part, evidence_part, wave_part
from runner.report.times import rfc3339
from runner.run.by_request import RequestState, by_request, counts_by_name, request_state, tally
from runner.run.evolve import evolve
from runner.run.facts import Facts, initial_facts
from runner.run.phases import Phase

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable

    from runner.plan.plan import Plan
    from runner.run.by_request import Tally
    from runner.run.events import Event

SCHEMA_VERSION = "runner/report/v1"
Report = JsonObject
"""A report as JSON holds it; `runner.report.models` has its fields."""

_IN_DOUBT = frozenset({Phase.SENT, Phase.IN_DOUBT, Phase.GIVEN_UP, Phase.CONFLICT})
_UNSURE = frozenset({RequestState.IN_DOUBT, RequestState.CONFLICT})


class Folded(NamedTuple):
    """All that the events of a run tell."""

    facts: Facts
    details: Details


def fold(plan: Plan, events: Iterable[Event]) -> Folded:
    """Take in the events of a run.

    Raises:
        ImpossibleEvent: one of them cannot have happened.
    """
    facts = initial_facts(plan)
    details = Details(facts)
    for event in events:
        evolve(facts, event)
        details.take(event)
    return Folded(facts, details)


def fold_report(
    plan: Plan,
    run_id: str,
    events: Iterable[Event],
    *,
    unended_state: RunState = RunState.RUNNING,
    journal_head: str | None = None,
) -> Report:
    """Make the report of a run from its events; see `make_report`."""
    return make_report(fold(plan, events), run_id, unended_state=unended_state, journal_head=journal_head)


def make_report(
    folded: Folded, run_id: str, *, unended_state: RunState = RunState.RUNNING, journal_head: str | None = None
) -> Report:
    """The report of a run. `unended_state` is what to call it if nothing says how it ended.

    `journal_head` is the hash of the journal's last entry.
    """
    facts, details = folded
    every = list(by_request(facts))
    tallied = tally(facts, every)
    counts = tallied.counts
    jobs = job_parts(facts, run_token(run_id), every, details)
    return {
        "schema_version": SCHEMA_VERSION,
        "run": _run_part(facts, run_id, unended_state)
        | {"display_lost": details.display_lost, "journal_head": journal_head},
        "counts": counts_by_name(counts),
        "abnormal_count": _abnormal(counts),
        "at_work": tallied.at_work,
        "not_reached": tallied.not_reached,
        "requests": _requests_part(facts),
        "throttling": details.pace.throttling(),
        "submission": details.pace.submission(),
        "groups": _group_parts(facts, tallied),
        "waves": _wave_parts(folded, tallied),
        "budget": budget_part(facts.rollout.ledger) if facts.rollout else None,
        "evidence": evidence_part(facts.rollout) if facts.rollout else None,
        "decisions": details.decisions.decisions,
        "outages": details.outages.outages,
        "causes": causes_part(facts, jobs, counts_by_name(counts)),
        "jobs": jobs,
    }


def _run_part(facts: Facts, run_id: str, unended_state: RunState) -> JsonObject:
    ending, started_at = facts.ending, facts.started_at
    return {
        "id": run_id,
        "campaign": facts.plan.campaign,
        "plan_hash": facts.plan.plan_hash,
        "state": ending.state.value if ending else unended_state.value,
        "reason": ending.reason if ending else "",
        "exit_code": ending.exit_code if ending else None,
        "started_at": rfc3339(started_at),
        "finished_at": rfc3339(ending.at) if ending else None,
        "duration_s": round(ending.at - started_at, 3) if ending and started_at is not None else None,
        "runner_version": facts.runner_version,
        "simulated": facts.simulated,
    }


def _requests_part(facts: Facts) -> dict[str, int]:
    in_doubt = sum(map(facts.phases.count, _IN_DOUBT))
    elsewhere = facts.conflict_jobs.keys() | facts.suspected
    in_doubt += sum(
        facts.phases[request] not in _IN_DOUBT and request_state(facts, request) in _UNSURE for request in elsewhere
    )
    return {
        "planned": len(facts.plan.requests),
        "split": len(facts.requests.pieces),
        "accepted": facts.accepted - facts.adopted,
        "refused": facts.phases.count(Phase.REFUSED),
        "adopted": facts.adopted,
        "in_doubt": in_doubt,
    }


def _group_parts(facts: Facts, tallied: Tally) -> list[JsonObject]:
    return [
        {"name": group.name, "counts": counts_by_name(counts), "abnormal_count": _abnormal(counts)}
        for group, counts in zip(facts.plan.groups, tallied.groups, strict=True)
    ]


def _wave_parts(folded: Folded, tallied: Tally) -> list[JsonObject]:
    facts, log = folded.facts, folded.details.decisions
    waves = facts.rollout.waves if facts.rollout else ()
    return [
        {
            **wave_part(facts, wave),
            "counts": counts_by_name(counts),
            "at_work": at_work,
            "not_reached": not_reached,
            "decisions": log.of_wave(wave.plan.name),
        }
        for wave, counts, at_work, not_reached in zip(
            waves, tallied.waves, tallied.waves_at_work, tallied.waves_not_reached, strict=True
        )
    ]


def _abnormal(counts: Counter[Outcome]) -> int:
    return sum(counts[outcome] for outcome in Outcome if outcome.is_abnormal)
