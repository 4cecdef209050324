"""The fields of a report, as models: for its JSON Schema. `runner.report.fold` makes reports."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Outcome = Literal["succeeded", "failed", "skipped", "timed_out", "unknown", "not_started"]
State = Literal["planned", "in_doubt", "accepted", "settled", "refused", "given_up", "conflict", "void"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RunPart(_Part):
    """The run as a whole. Times are RFC 3339 in UTC."""

    id: str
    campaign: str
    plan_hash: str
    state: str = Field(description="finished, submitted, stopped, unusable; running or interrupted while it has no end")
    reason: str
    exit_code: int | None
    started_at: str | None
    finished_at: str | None
    duration_s: float | None
    runner_version: str | None
    simulated: bool
    journal_head: str | None = Field(description="Hash of the journal's last entry: see `runner verify`.")


class Counts(_Part):
    """Servers by outcome; the last six add up to the first."""

    servers: int
    succeeded: int
    failed: int
    skipped: int
    timed_out: int
    unknown: int
    not_started: int


class RequestsPart(_Part):
    """Requests by what became of them; `in_doubt` counts those given up and in conflict, too."""

    planned: int
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
    cloud_server: dict[str, Any] | None


class JobPart(_Part):
    """One request and its job, if there is one. `status` is the service's word, `state` is ours."""

    key: str
    name: str
    job_id: str | None
    group: str
    step: str
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
    tasks: list[TaskPart]


class ReportFile(_Part):
    """A report."""

    schema_version: Literal["runner/report/v1"]
    run: RunPart
    counts: Counts
    abnormal_count: int
    requests: RequestsPart
    throttling: ThrottlingPart
    submission: SubmissionPart | None
    groups: list[GroupPart]
    jobs: list[JobPart]


def report_schema() -> dict[str, Any]:
    """The JSON Schema of a report."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **ReportFile.model_json_schema(),
        "title": "report",
    }
