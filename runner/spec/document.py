"""The shape of a jobspec file, as pydantic models: they check it, and the JSON Schema comes from them.

Text may be a template; it is rendered later, so only text without one can be checked here (`runner.spec.checks`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    PlainValidator,
    StrictBool,
    StrictInt,
    StrictStr,
    Tag,
    WithJsonSchema,
)

from runner.model import JsonObject
from runner.spec import quantities
from runner.spec.found import EXPECTED_SCALAR, is_number, mistaken
from runner.spec.hook_document import MOST_HOOKS, HookDocument
from runner.spec.parts import Duration, Name, Part, kind, unit
from runner.spec.rollout.document import RolloutDocument
from runner.spec.rules import LABEL


def _rate(value: object) -> object:
    if isinstance(value, str) and quantities.parse_rate(value) is not None:
        return value
    advice = f"write {value}/s or {value}/m" if is_number(value) else ""
    raise mistaken(value, "rate", quantities.EXPECTED_RATE, advice)


def _scalar(value: object) -> object:
    """Kept as it is: a number of a jobspec has its text with it, which pydantic's own types would leave out."""
    if isinstance(value, str | bool | int | float):
        return value
    raise mistaken(value, "value", EXPECTED_SCALAR)


def _selection(value: object) -> object:
    """`true` is an expression, too, that YAML reads as something else."""
    return ("true" if value else "false") if isinstance(value, bool) else value


def _variables(value: JsonObject) -> JsonObject:
    for name in value:
        if not LABEL.accepts(name):
            raise ValueError(f"{name!r} is no valid variable name; expected {LABEL.expected}")
    return value


Rate = Annotated[
    StrictStr, BeforeValidator(_rate), Field(examples=["10/s", "600/m", "unlimited"], json_schema_extra=kind("rate"))
]
Text = Annotated[
    str | bool | int | float,
    PlainValidator(_scalar),
    WithJsonSchema({"anyOf": [{"type": kind} for kind in ("string", "boolean", "integer", "number")]}),
]
Selection = Annotated[
    StrictStr, BeforeValidator(_selection), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "boolean"}]})
]
Variables = Annotated[JsonObject, AfterValidator(_variables)]


class LaneDocument(Part):
    """Where requests go. A group may override any of it."""

    region: StrictStr | None = Field(None, description="Region id, such as cn-north-9; the endpoint follows from it.")
    endpoint: StrictStr | None = Field(None, description="URL of the service; replaces the one of the region.")
    project_id: StrictStr | None = Field(None, description="Project id; looked up in IAM by region when not given.")


class GroupDocument(Part):
    """A named selection of servers; a server belongs to the first group that selects it."""

    name: Name = Field(description="Name of the group.")
    select: Selection | None = Field(
        None, description="A Jinja expression over the server: id, name, labels.", examples=['labels.ring == "canary"']
    )
    servers: list[StrictStr] | None = Field(
        None, description="Ids, names, or names with ranges such as node-[001-050].", min_length=1
    )
    split_by: StrictStr | None = Field(None, description="An expression; one group is made per value.")
    vars: Variables = Field(default_factory=dict, description="Variables of this group.")
    lane: LaneDocument = Field(
        default_factory=lambda: LaneDocument.model_validate({}), description="Replaces parts of the lane."
    )


class ItemDocument(Part):
    """One item of a job."""

    type: StrictStr = Field(description="Fine-grained type, such as HDK_UPGRADE.")
    spec: dict[str, Text] = Field(
        default_factory=dict,
        description="Parameters of the item: strings on the wire; numbers and booleans become strings.",
    )


class StepDocument(Part):
    """One kind of job. Steps run in order: a server goes on only after it succeeded."""

    name: Name = Field(description="Name of the step.")
    type: StrictStr = Field(description="Task template type, such as HDK_UPGRADE.")
    job_name: StrictStr = Field(description="Name of the jobs; each gets a key of its own at the end.")
    job_description: StrictStr | None = Field(None, description="Description of the jobs.")
    is_reboot: StrictBool | None = Field(None, description="Sent as is; what it means is documented in two ways.")
    servers_per_job: StrictInt = Field(
        50, ge=1, le=10_000, description="Servers in one request.", json_schema_extra=unit("servers")
    )
    items: list[ItemDocument] = Field(min_length=1, description="What the job does.")
    expected_duration: Duration | None = Field(
        None, description="How long a job is expected to last, until some were seen: for windows. Without: 30m."
    )


class SubmitDocument(Part):
    """How requests are let out, per lane."""

    rate: Rate = Field("10/s", description="Creates per lane: N/s, N/m, or unlimited.")
    burst: StrictInt = Field(
        10,
        ge=1,
        le=100_000,
        description="Never more than rate x T + burst creates in any T seconds.",
        json_schema_extra=unit("requests"),
    )
    concurrency: StrictInt = Field(
        16, ge=1, le=1024, description="Requests in flight per lane.", json_schema_extra=unit("requests")
    )
    timeout: Duration = Field("30s", description="How long one request may take.")
    attempts: StrictInt = Field(
        5,
        ge=1,
        le=100,
        description="How often one request is sent whose answer got lost.",
        json_schema_extra=unit("tries"),
    )
    settle: Duration = Field("15s", description="How long a request in doubt is looked up before it is sent again.")
    outage: Duration = Field(
        "30m",
        description="How long a lane waits for a service that cannot be reached, or not be read, before it stops.",
    )
    longest_pause: Duration = Field(
        "5m",
        description="The longest pause that the service may ask for: where its Retry-After is longer, the lane stops.",
    )


class WatchDocument(Part):
    """How jobs are watched, per lane."""

    rate: Rate = Field("10/s", description="Reads per lane: N/s, N/m, or unlimited.")
    job_timeout: Duration = Field("2h", description="After this the open servers of a job are timed_out.")


class ServiceListDocument(Part):
    """The servers as the service lists them. The list is kept in the state folder, and asked for anew when it is too old."""

    scope: Literal["mine", "all"] = Field("mine", description="The user's own servers, or all of the tenant.")
    select: Selection | None = Field(
        None, description="Only servers for which this expression holds.", examples=['labels.status == "RUNNING"']
    )
    max_age: Duration = Field("10m", description="How old a list that is kept may be.")
    join: StrictStr | None = Field(
        None, description="A file of servers, relative to this one, whose labels are added by id."
    )


class ServiceInventoryDocument(Part):
    """An inventory that is no file."""

    api: ServiceListDocument = Field(description="The servers as the service lists them.")


def _form_of_inventory(value: object) -> str | None:
    if isinstance(value, dict | ServiceInventoryDocument):
        return "one-of-service"
    return "one-of-file" if isinstance(value, str) else None


Inventory = Annotated[
    Annotated[StrictStr, Tag("one-of-file")] | Annotated[ServiceInventoryDocument, Tag("one-of-service")],
    Discriminator(
        _form_of_inventory,
        custom_error_type="inventory",
        custom_error_message="expected a file, or a mapping with `api`",
    ),
]


class JobspecDocument(Part):
    """What to run, on which groups, how carefully."""

    api_version: Literal["runner/v1"] = Field(description="The version of this format.")
    name: Name = Field(description="Name of the campaign.")
    description: StrictStr | None = Field(None, description="What the campaign is for.")
    vars: Variables = Field(default_factory=dict, description="Variables for templates.")
    inventory: Inventory | None = Field(
        None,
        description="The servers: a CSV, JSON, NDJSON or YAML file, relative to this one; or `api`: as the service lists.",
    )
    lane: LaneDocument = Field(
        default_factory=lambda: LaneDocument.model_validate({}), description="Where requests go."
    )
    groups: list[GroupDocument] = Field(min_length=1, description="Which servers, in order.")
    steps: list[StepDocument] = Field(min_length=1, description="What to run on them, in order.")
    submit: SubmitDocument = Field(
        default_factory=lambda: SubmitDocument.model_validate({}), description="How requests are let out."
    )
    watch: WatchDocument = Field(
        default_factory=lambda: WatchDocument.model_validate({}), description="How jobs are watched."
    )
    rollout: RolloutDocument | None = Field(None, description="In which waves, and within which limits.")
    on_event: list[HookDocument] = Field(
        default_factory=list, max_length=MOST_HOOKS, description="Whom to tell what becomes of a run."
    )


def jobspec_schema() -> JsonObject:
    """The JSON Schema of a jobspec, for editors."""
    schema = JobspecDocument.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "jobspec"}
