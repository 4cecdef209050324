"""The servers of a run that ended in some ways, each with where it is and why, a row each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner.model import Outcome
from runner.report.causes import labels_by_server
from runner.report.reasons import error_words, reason
from runner.run.by_request import RequestState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from runner.model import JsonObject
    from runner.report.fold import RunReport
    from runner.run.by_request import RequestStanding

ABNORMAL = frozenset(outcome for outcome in Outcome if outcome.is_abnormal)
_NO_LABELS: Mapping[str, str] = {}


class AffectedServer(NamedTuple):
    """A server of a run, its outcome in the step that it did not get through, and why: in the service's words, or ours.

    `wave` is None in a run without a rollout.
    """

    id: str
    name: str
    outcome: str
    wave: str | None
    group: str
    lane: str
    step: str
    job_id: str | None
    why: str
    labels: Mapping[str, str]

    def as_json(self) -> JsonObject:
        """As JSON has it."""
        return {**self._asdict(), "labels": dict(self.labels)}


def server_rows(report: RunReport, outcomes: Collection[Outcome] = ABNORMAL) -> Iterator[AffectedServer]:
    """The servers with one of these outcomes, in the order of the plan; not those that are still at work."""
    facts, words = report.facts, {outcome.value for outcome in outcomes}

    def is_asked_for(standing: RequestStanding) -> bool:
        is_over = facts.is_main(standing.request) and standing.state is not RequestState.ACCEPTED
        return is_over and not standing.outcomes.counts.keys().isdisjoint(outcomes)

    labels = labels_by_server(facts.plan)
    for job in report.of(is_asked_for)["jobs"]:
        for task in job["tasks"]:
            if task["outcome"] in words:
                yield _row(job, task, labels.get((job["lane"], task["server_id"]), _NO_LABELS))


def _row(job: JsonObject, task: JsonObject, labels: Mapping[str, str]) -> AffectedServer:
    return AffectedServer(
        task["server_id"],
        task["server_name"] or task["server_id"],
        task["outcome"],
        job["wave"],
        job["group"],
        job["lane"],
        job["step"],
        job["job_id"],
        why(job, task),
        labels,
    )


def why(job: JsonObject, task: JsonObject) -> str:
    """Why a server came out so: the error of its request, who left it out, or what was said of it."""
    if job["error"] is not None:
        return error_words(job["error"])
    if job["excluded"] is not None:
        return ": ".join(filter(None, (f"excluded by {job['excluded']['who']}", job["excluded"]["why"])))
    if task["outcome"] == Outcome.NOT_STARTED:
        return "nothing was sent to it"
    return "" if task["outcome"] == Outcome.SUCCEEDED else reason(job, task)
