"""The report, in the shape of `schemas/report.schema.json`: the facts of a run, and details collected beside them.

Nothing in it depends on when it is made, so that the report of a finished run is always the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner.model import JsonObject, Outcome, RunState
from runner.plan.keys import run_token
from runner.report.all_servers import all_servers
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
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from runner.model import Task
    from runner.plan.plan import Plan
    from runner.report.all_servers import ServerResult
    from runner.report.course import Course
    from runner.run.by_request import RequestStanding, Tally
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
    """The report of a run, all of it at once; see `RunReport`."""
    return RunReport(folded, run_id, unended_state=unended_state, journal_head=journal_head).of(lambda _: True)


class RunReport:
    """The report of a run. `head` is all of it but its jobs, which are made one after the other when they are asked for.

    `unended_state` is what to call it if nothing says how it ended. `journal_head` is the hash of the journal's last entry.
    """

    def __init__(
        self,
        folded: Folded,
        run_id: str,
        *,
        unended_state: RunState = RunState.RUNNING,
        journal_head: str | None = None,
    ) -> None:
        self._folded = folded
        self._token = run_token(run_id)
        self._every = list(by_request(folded.facts))
        parts = _parts(folded, tally(folded.facts, self._every))
        self.head: JsonObject = {
            "schema_version": SCHEMA_VERSION,
            "run": _run_part(folded.facts, run_id, unended_state)
            | {
                "display_lost": folded.details.display_lost,
                "signals_lost": folded.details.signals_lost,
                "journal_head": journal_head,
            },
            **parts,
            "causes": causes_part(folded.facts, self._every, self._made, parts["counts"]),
        }

    @property
    def facts(self) -> Facts:
        """The facts that it is of."""
        return self._folded.facts

    def jobs(self) -> Iterator[JsonObject]:
        """An entry for each request, in the order of the plan."""
        return job_parts(self.facts, self._token, self._every, self._folded.details)

    def _made(self, wanted: Callable[[RequestStanding], bool]) -> Iterator[JsonObject]:
        return job_parts(self.facts, self._token, filter(wanted, self._every), self._folded.details)

    def of(self, wanted: Callable[[RequestStanding], bool]) -> Report:
        """The report with the jobs of some requests only."""
        return {**self.head, "jobs": list(self._made(wanted))}

    @property
    def course(self) -> Course:
        """How the run went over time."""
        return self._folded.details.course

    def servers(self) -> list[ServerResult]:
        """A row for each server, in the order of the plan."""
        return all_servers(self.facts.plan, self.jobs())

    def tasks(self) -> Iterator[Sequence[Task]]:
        """The tasks of each job, as events have them."""
        return (job.tasks for job in self._folded.details.jobs.values())


def _parts(folded: Folded, tallied: Tally) -> JsonObject:
    facts, details = folded
    counts = tallied.counts
    return {
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
