"""The JSON Schema of a plan file, as `runner.plan.codec` writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from runner.model import JsonObject
from runner.spec.campaign import Submit
from runner.spec.rollout.limits import LIMITS
from runner.spec.signals import Moment


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LanePart(_Part):
    """Where requests go."""

    region: str | None
    endpoint: str | None
    project_id: str | None


class PlannedGroupPart(_Part):
    """A group: ids and names of its servers, in the order of its requests."""

    name: str
    lane: int
    servers: list[str]
    server_names: list[str]


class BodyPart(_Part):
    """The body of a create-job call; `name` lacks the request's key, secrets are references."""

    name: str
    description: str | None = None
    server_ids: list[str]
    type: str
    is_reboot: bool | None = None
    items: list[JsonObject]


class RequestPart(_Part):
    """One request; its servers are `servers[start:stop]` of its group."""

    wave: int | None = None
    group: int
    step: int
    start: int
    stop: int
    body: BodyPart


class LabelsPart(_Part):
    """Labels of servers: the different ones, and for each server of each group the place of its own."""

    different: list[dict[str, str]]
    of: list[list[int]]


class CheckPart(_Part):
    """A health gate: exactly one of a command, a URL and a step."""

    name: str
    command: list[str] | None
    url: str | None
    step: int | None
    timeout_s: float
    attempts: int
    env: list[str] = Field([], description="Variables that a command has though they look like credentials.")
    folder: str | None = Field(None, description="Where a program beside the jobspec is; not hashed.")
    fingerprint: str | None = Field(None, description="sha256: over the bytes of a program beside the jobspec.")


class PlannedWavePart(_Part):
    """A wave; the servers in it are those of its requests."""

    name: str
    servers: int
    soak_s: float
    approve: bool
    growth: float | None
    checks: list[CheckPart]


if TYPE_CHECKING:

    class PlannedBudgetPart(_Part):
        """See below."""

else:
    PlannedBudgetPart = create_model(
        "PlannedBudgetPart",
        __base__=_Part,
        __doc__="Limits as they were written; `per` is by expression.",
        **{kind.name: (str | None, Field() if kind.always_written else None) for kind in LIMITS},
        per=(dict[str, str], Field()),
        variables=(
            dict[str, dict[str, Any]],
            Field(default_factory=dict, description="Variables that an expression of `per` uses."),
        ),
    )


class SequentialPart(_Part):
    """Shares from 0 to 1."""

    healthy: float
    bad: float
    false_alarm: float
    miss: float


class AbortPart(_Part):
    """What aborts the campaign."""

    sequential: SequentialPart | None
    after_unknown: int | None


class WindowPart(_Part):
    """When requests may be sent."""

    allow: list[str]
    deny: list[str]
    timezone: str
    cutoff: float


class RolloutPart(_Part):
    """In which waves, and within which limits. The first `main_steps` steps are those that every server goes through."""

    main_steps: int
    waves: list[PlannedWavePart]
    budget: PlannedBudgetPart
    abort: AbortPart
    on_breach: Literal["hold", "abort", "hold_early"]
    window: WindowPart | None
    deadline_s: float | None
    expected_s: list[float]
    on_failure: int | None
    failure_bodies: list[JsonObject]


class HookPart(_Part):
    """Whom to tell of a run: exactly one of a command and a URL to post to. Secrets, and what is told, are references."""

    on: list[Moment]
    command: list[str] | None = None
    env: list[str] = []
    post: str | None = None
    headers: dict[str, str] = {}
    body: JsonObject | str | None = None
    answer: JsonObject = {}
    timeout_s: float
    attempts: int
    folder: str | None = Field(None, description="Where a program beside the jobspec is; not hashed.")
    fingerprint: str | None = Field(None, description="sha256: over the bytes of a program beside the jobspec.")


class SubmitPart(_Part):
    """How requests are let out; a rate of null is no limit."""

    rate: float | None
    burst: int
    concurrency: int
    timeout_s: float
    attempts: int
    settle_s: float
    outage_s: float = Submit().outage_s
    longest_pause_s: float = Submit().longest_pause_s


class WatchPart(_Part):
    """How jobs are watched; a rate of null is no limit."""

    rate: float | None
    job_timeout_s: float


class SummaryPart(_Part):
    """Numbers to check before approving."""

    inventory_servers: int
    selected: int
    unselected: int
    requests: int
    warnings: list[str]


class PlanFile(_Part):
    """A plan file."""

    plan_hash: str = Field(
        pattern="^sha256:[0-9a-f]{64}$",
        description="Over what the plan does: all but created_at, runner_version, summary.warnings and folders of programs.",
    )
    schema_version: Literal["runner/plan/v1"]
    campaign: str
    description: str
    created_at: float
    runner_version: str
    inventory_fingerprint: str
    parents: list[str] = Field(description="Runs that this plan does again for some servers: see `runner retry`.")
    jobspec: str
    variables: JsonObject
    summary: SummaryPart
    submit: SubmitPart
    watch: WatchPart
    lanes: list[LanePart]
    steps: list[str]
    groups: list[PlannedGroupPart]
    requests: list[RequestPart]
    rollout: RolloutPart | None = None
    labels: LabelsPart | None = None
    on_event: list[HookPart] = Field([], description="Who is told of the run.")


def plan_schema() -> JsonObject:
    """The JSON Schema of a plan file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **PlanFile.model_json_schema(), "title": "plan"}
