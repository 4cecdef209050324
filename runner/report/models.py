"""The fields of a report, as models: for its JSON Schema. `runner.report.fold` makes reports."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from runner.model import JsonObject

Outcome = Literal["succeeded", "failed", "skipped", "timed_out", "unknown", "not_started", "excluded"]
State = Literal["planned", "in_doubt", "accepted", "settled", "refused", "given_up", "conflict", "void", "withdrawn"]

_NOT_REACHED = "Servers that the run did not come to, so far or at all: they count as not started, too."


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SignalLostPart(_Part):
    """A moment of which the hook `on_event[hook]` could not be told, and why: the last of its attempts."""

    at: str
    hook: int
    event: str
    reason: str


class RunPart(_Part):
    """The run as a whole. Times are RFC 3339 in UTC."""

    id: str
    campaign: str
    plan_hash: str
    state: str = Field(
        description="finished, submitted, stopped, aborted, unusable; running or interrupted while it has no end"
    )
    reason: str
    exit_code: int | None
    started_at: str | None
    finished_at: str | None
    duration_s: float | None
    runner_version: str | None
    simulated: bool
    display_lost: str | None = Field(
        default=None, description="Why nobody could see the run any more, which went on without being seen."
    )
    signals_lost: list[SignalLostPart] = Field(default=[], description="What hooks could not be told of.")
    journal_head: str | None = Field(description="Hash of the journal's last entry: see `runner verify`.")


class Counts(_Part):
    """Servers by outcome; the last seven add up to the first."""

    servers: int
    succeeded: int
    failed: int
    skipped: int
    timed_out: int
    unknown: int
    not_started: int
    excluded: int


class RequestsPart(_Part):
    """Requests by what became of them; `in_doubt` counts those given up and in conflict, too.

    `split` are those that two smaller ones took the place of, because a limit had no room for them.
    """

    planned: int
    split: int
    accepted: int
    refused: int
    adopted: int
    in_doubt: int


class ThrottlingPart(_Part):
    """How the service slowed the run down; the peak is of one lane."""

    throttled_answers: int
    waited_s: float
    peak_creates_per_s: int


class SubmissionPart(_Part):
    """How fast requests went out."""

    first_intended_at: str
    last_answered_at: str | None
    creates_sent: int
    creates_per_s: float | None


class GroupPart(_Part):
    """One group; `abnormal_count` is failed, timed_out and unknown."""

    name: str
    counts: Counts
    abnormal_count: int


class ErrorPart(_Part):
    """The last error of a request."""

    http_status: int | None
    code: str | None
    message: str
    request_id: str | None


class LostPart(_Part):
    """What was last seen of a job that was not seen to end, and when: why its servers are unknown, or timed out."""

    at: str
    reason: str


class ExclusionPart(_Part):
    """Who left the servers of a request out, and why."""

    who: str
    why: str


class ReadingPart(_Part):
    """How a job was read: how often, null where it is not known; how many reads failed, and what the last of these said.

    `unread`: the last read of all failed, so how the job stands was not seen.
    """

    reads: int | None
    failed: int
    last_error: ErrorPart | None
    unread: bool


class TaskPart(_Part):
    """One server of a request; `status` and `message` are the service's own words."""

    server_id: str
    server_name: str | None
    outcome: Outcome
    status: str | None
    message: str | None
    task_id: str | None
    created_at: str | None
    updated_at: str | None
    cloud_server: JsonObject | None


class JobPart(_Part):
    """One request and its job, if there is one. `status` is the service's word, `state` is ours."""

    key: str
    name: str
    job_id: str | None
    wave: str | None
    group: str
    step: str
    purpose: Literal["change", "check", "after_failure"] = Field(description="Counts are of those for the change only.")
    lane: str
    type: str
    service_type: str | None
    state: State
    status: str | None
    abnormal_count: int
    service_abnormal_count: int | None
    template_id: str | None
    user_name: str | None
    created_at: str | None
    updated_at: str | None
    attempts: int
    error: ErrorPart | None
    excluded: ExclusionPart | None
    lost: LostPart | None
    reading: ReadingPart | None = Field(default=None, description="Of a job that is over, and a request given up.")
    tasks: list[TaskPart]


class OutagePart(_Part):
    """Calls of a lane failed for a while: how many of them, what the last said, as it was told at `told_at`.

    `over_at` is null where the process ended before that.
    """

    lane: str
    since: str
    told_at: str
    over_at: str | None
    failed: int
    error: ErrorPart


class DecisionPart(_Part):
    """What was decided, when, on which wave and evidence, by whom (`runner`, or a person) and why."""

    at: str
    what: str = Field(
        description="start, pass, hold, abort, end_intake, check_passed, ..., or what a person asked for."
    )
    wave: str | None
    evidence: str
    who: str
    why: str


class WavePart(_Part):
    """One wave of the rollout. `finished_at` is when its last request was over, `passed_at` when its gate opened."""

    name: str
    state: Literal["waiting", "running", "soaking", "checking", "awaiting_approval", "passed", "rejected", "aborted"]
    servers: int
    started_at: str | None
    finished_at: str | None
    passed_at: str | None
    counts: Counts
    at_work: int = Field(description="Servers whose job is at work: they count as unknown, too, until it is over.")
    not_reached: int = Field(default=0, description=_NOT_REACHED)
    decisions: list[DecisionPart]


class LimitPart(_Part):
    """One limit: at most `most` of `of` servers `spent` (abnormal, or skipped) and in flight; `peak` is the most ever."""

    name: str
    scope: str
    counts: Literal["abnormal", "skipped"]
    most: int
    of: int
    spent: int
    peak: int


class BudgetPart(_Part):
    """The limits of the rollout and their use."""

    limits: list[LimitPart]


class CurvePart(_Part):
    """The evidence, nats, after so many servers of which so many were abnormal."""

    servers: int
    abnormal: int
    evidence: float


class EvidencePart(_Part):
    """What the sequential test says: BAD is proven where the evidence reaches the boundary (both in nats)."""

    verdict: Literal["open", "healthy", "bad"]
    abnormal: int
    normal: int
    evidence: float
    boundary: float
    curve: list[CurvePart]


class ExplanationPart(_Part):
    """A label's value, or a wave, group or lane, of which more servers are in trouble than of the others.

    `same_servers` are other labels that stand for the very same. `difference` is how much larger the share of those in
    trouble is than among the others, with its interval of 95 %. `false_discovery_rate` is over all that was asked.
    """

    label: str
    value: str
    same_servers: list[str]
    bad: int
    servers: int
    others_bad: int
    others: int
    difference: float
    difference_low: float
    difference_high: float
    false_discovery_rate: float


class TroublePart(_Part):
    """Servers that ended alike: messages with numbers, ids, paths and addresses masked; and what explains it."""

    outcome: Outcome
    signature: str
    servers: int
    examples: list[str]
    explained_by: list[ExplanationPart]


class CausesPart(_Part):
    """Why servers that were tried did not succeed. `asked_about` are the labels that were held against it."""

    tried: int
    asked_about: list[str]
    troubles: list[TroublePart]


class ReportFile(_Part):
    """A report."""

    schema_version: Literal["runner/report/v1"]
    run: RunPart
    counts: Counts
    abnormal_count: int
    at_work: int = Field(description="Servers whose job is at work: they count as unknown, too, until it is over.")
    not_reached: int = Field(default=0, description=_NOT_REACHED)
    requests: RequestsPart
    throttling: ThrottlingPart
    submission: SubmissionPart | None
    groups: list[GroupPart]
    waves: list[WavePart]
    budget: BudgetPart | None
    evidence: EvidencePart | None
    decisions: list[DecisionPart]
    outages: list[OutagePart] = Field(default=[])
    causes: CausesPart | None = Field(default=None, description="Why servers did not succeed.")
    jobs: list[JobPart]


def report_schema() -> JsonObject:
    """The JSON Schema of a report."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **ReportFile.model_json_schema(),
        "title": "report",
    }
