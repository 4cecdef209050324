"""How the simulator behaves: every switch, with the conservative choice of api-facts 8 as its default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runner.errors import InvalidInput, Problem
from runner.simulator.windows import LimitKind
from runner.spec.json_source import read_document
from runner.spec.suggest import did_you_mean
from runner.spec.yaml_source import path_text

if TYPE_CHECKING:
    from runner.model import JsonObject

Chance = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0)]
FaultKind = Literal[
    "reset", "hang", "cut_body", "html", "status_408", "status_500", "status_502", "status_504", "status_429"
]


class _Switches(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Auth(_Switches):
    """Who may call (api-facts 8.20)."""

    access_keys: dict[str, str] = Field(
        {"SIMULATORAK": "SIMULATORSK"}, description="Access keys and their secret keys."
    )
    security_token: str | None = Field(None, description="Temporary security token that signed calls must carry.")
    users: dict[str, str] = Field(
        {"simulator": "simulator"}, description="Users and passwords that IAM makes tokens for."
    )
    token_lifetime_s: Seconds = Field(86400.0, description="How long a token is good for, seconds.")
    project_ids: list[str] = Field([], description="Projects of the caller; empty: any.")
    skew_s: Seconds = Field(900.0, description="How far the caller's clock may be off, seconds.")
    locked_after: int = Field(5, description="Failed signatures in a row after which the access key is locked.")
    lock_s: Seconds = Field(300.0, description="How long it stays locked, seconds.")


class LimitChange(_Switches):
    """Other rate limits from a time on."""

    after_s: Seconds = Field(description="From how long after the first call on, seconds.")
    creates: int | None = Field(description="Creates in each period; null: no limit.")
    reads: int | None = Field(description="Reads in each period; null: no limit.")


class ThrottleSwitches(_Switches):
    """Rate limits (api-facts 8.18). A throttled create makes nothing."""

    creates: int | None = Field(10, description="Creates in each period; null: no limit.")
    create_period_s: Seconds = Field(60.0, description="The period of `creates`, seconds.")
    reads: int | None = Field(20, description="Reads in each period; null: no limit.")
    read_period_s: Seconds = Field(1.0, description="The period of `reads`, seconds.")
    retry_after: bool = Field(default=False, description="Whether a throttled answer has Retry-After.")
    says_limit: bool = Field(default=True, description="Whether a throttled answer tells the limit and its period.")
    kind: LimitKind = Field("fixed", description="What limits: windows one after the other, any window, saved tokens.")
    counts_refused: bool = Field(default=True, description="Whether refused calls count in a `sliding` window.")
    chance: Chance = Field(0.0, description="Chance of any call to be throttled, whatever the limit.")
    changes: list[LimitChange] = Field([], description="Other limits from a time on, in order.")


class ListingSwitches(_Switches):
    """The job list (api-facts 8.5, 8.6)."""

    name_filter: Literal["substring", "exact"] = Field("substring", description="What the filter by name matches.")
    order: Literal["newest", "oldest", "random"] = Field("newest", description="Which rows come first.")
    page_size: int = Field(10, ge=1, description="Rows of a page when no limit is given.")
    most: int = Field(1000, ge=1, description="Rows of a page at most.")
    paging: Literal["honoured", "ignored"] = Field("honoured", description="Whether limit and offset do anything.")
    lag_s: Seconds = Field(2.0, description="How long a new job takes to be listed, seconds.")
    foreign_jobs: int = Field(0, ge=0, description="Jobs of other people that are listed, too.")


class Tasks(_Switches):
    """What happens on the servers (api-facts 8.13, 8.16, 8.17)."""

    duration_s: Seconds = Field(180.0, description="How long a task takes, seconds.")
    spread: Chance = Field(0.0, description="How far durations differ, as a share of the duration.")
    lasts: Literal["alike", "exponential"] = Field(
        "alike", description="How durations are spread: alike, or exponentially with that mean."
    )
    failing: Chance = Field(0.0, description="Chance of a task to fail.")
    skipped: Chance = Field(0.0, description="Chance of a task to be skipped.")
    never_final: Chance = Field(0.0, description="Chance of a task to stay in PROCESSING.")
    missing: Chance = Field(0.0, description="Chance of a task never to be shown.")
    failing_servers: list[str] = Field([], description="Ids or names, with * as wildcard, whose tasks fail.")
    message: str | None = Field(None, description="What a task says that did not succeed; null: its status.")
    final_lag_s: Seconds = Field(0.35, description="How long after its job is FINISHED a task's row is final, seconds.")
    unknown_status: Chance = Field(
        0.0, description="Chance of a task or job to show a status nobody knows, for a while."
    )
    reboots: Literal["on_failure", "always"] = Field("on_failure", description="What is_reboot does.")
    reboot_s: Seconds = Field(60.0, description="How long a server reboots, seconds.")


class Jobs(_Switches):
    """What a create asks for and a job looks like (api-facts 8.1 to 8.4, 8.11, 8.12, 8.15)."""

    status_at_create: Literal["ACTIVE", "PROCESSING"] = Field("ACTIVE", description="Status of a new job.")
    tasks_at_create: Literal["none", "all"] = Field("none", description="Whether the answer to a create has tasks.")
    rewritten_types: dict[str, str] = Field(
        {"HDK_UPGRADE": "ASCEND_SOFTWARE_UPGRADE"}, description="Types that show under another name."
    )
    strict_description: bool = Field(
        default=False, description="Whether descriptions are held to the pattern of names."
    )
    unique_names: bool = Field(default=False, description="Whether a name can be used once only.")
    most_servers: int | None = Field(None, description="Servers of a job at most; null: no limit.")
    skipped_is_abnormal: bool = Field(default=False, description="Whether abnormal_count counts SKIPPED.")
    missing_is_404: bool = Field(default=False, description="Whether a missing job is HTTP 404 and not 400.")
    times: Literal["milliseconds", "text", "iso"] = Field("milliseconds", description="Form of times.")
    update_at: Literal["of_change", "of_reading"] = Field(
        "of_change", description="What update_at tells: when the job changed, or when it is read."
    )
    extra_fields: bool = Field(default=False, description="Whether answers have fields that nobody documented.")
    nulls: bool = Field(default=False, description="Whether optional fields are null.")


class Servers(_Switches):
    """Which servers there are (api-facts 8.7 to 8.10, 8.24)."""

    fleet: dict[str, str] | None = Field(None, description="Ids and statuses; null: every id is known and RUNNING.")
    not_known: list[str] = Field([], description="Ids, with * as wildcard, of servers that there are not.")
    occupied: dict[str, Seconds] = Field(
        {},
        description="Ids, with * as wildcard, in an operation of somebody else, and how long from the start, seconds.",
    )
    says_which: bool = Field(default=True, description="Whether a create that is refused for a server names it.")
    unknown: Literal["refuse", "fail", "skip"] = Field("refuse", description="An unknown server in a create.")
    not_running: Literal["skip", "refuse"] = Field("skip", description="A server that is not RUNNING.")
    busy: Literal["refuse", "queue", "skip"] = Field("refuse", description="A server that is in another job.")
    duplicates: Literal["refuse", "accept"] = Field("refuse", description="The same id twice in a create.")


class FleetSwitches(_Switches):
    """Made-up servers that are listed beside `servers.fleet`, and how their list misleads (api-facts 2)."""

    count: int = Field(0, ge=0, description="How many made-up servers there are.")
    statuses: dict[str, str] = Field({}, description="Ids, with * as wildcard, and statuses; the others are RUNNING.")
    flavors: list[str] = Field(["snt9b.xlarge"], min_length=1, description="Their flavors, one after the other.")
    hyper_instances: int = Field(0, ge=0, description="How many hyper-instances the first of them are members of.")
    members: int = Field(8, ge=1, description="How many members each hyper-instance has.")
    extra: dict[str, Any] = Field({}, description="Fields that every row has besides.")
    hyper_list: Literal["given", "refused"] = Field("given", description="Whether hyper-instances can be listed.")
    topology: Literal["given", "absent"] = Field("given", description="Whether the topology can be read.")
    paging: Literal["honoured", "ignored"] = Field("honoured", description="Whether limit and offset do anything.")
    all_paging: Literal["honoured", "ignored", "whole", "refused"] = Field(
        "honoured", description="The same for the list of the tenant: ignored, with all on one page, or refused."
    )
    ignored_size: int = Field(10, ge=1, description="Rows of each page where paging is ignored.")
    most: int = Field(1024, ge=1, description="Rows of a page at most.")
    pages: Literal["in_order", "repeat", "skip", "overlap"] = Field(
        "in_order", description="Where a page after the first begins."
    )
    rows: Literal["all", "fewer", "twice"] = Field("all", description="Which rows of a page are shown.")
    total: Literal["true", "of_page", "more", "missing", "grows"] = Field("true", description="What `total` counts.")
    error_in_200: bool = Field(default=False, description="Whether the list is empty, and an error in truth.")
    change: Literal["none", "deleted", "made", "replaced"] = Field(
        "none", description="What happens to the fleet between two pages."
    )
    change_times: int = Field(1, ge=0, description="How often that happens.")
    throttled_at: list[int] = Field([], description="Which calls of the list, from 1, are throttled.")
    failing_at: list[int] = Field([], description="Which calls of the list, from 1, answer 503.")


class GivenTemplate(_Switches):
    """A job template: its parameters by name, each with some of description, value, visible and regex, as texts."""

    type: str = Field(description="Its type.")
    flavor: str = Field("ASCEND_GENERIC", description="What it is for.")
    params: dict[str, dict[Literal["description", "value", "visible", "regex"], str]] = Field(
        {}, description="Its parameters."
    )


class TemplateSwitches(_Switches):
    """Job templates (api-facts 1.6)."""

    given: list[GivenTemplate] = Field([], description="Templates beside the usual ones, or in place of their types'.")
    enforced: bool = Field(default=False, description="Whether a create is held to them.")
    paging: Literal["none", "honoured", "ignored"] = Field(
        "none", description="Whether their list has pages of 10, and whether limit and offset do anything."
    )


class Deviations(_Switches):
    """What the service does otherwise than the simulator assumes (docs/simulator.md)."""

    total: Literal["true", "of_page", "missing", "more"] = Field("true", description="What a list's `total` counts.")
    rows: Literal["all", "none", "fewer", "some"] = Field("all", description="Which rows of a page are shown.")
    row_lag_s: Seconds = Field(0.0, description="How old what the list shows of a job's status is, seconds.")
    detail_lag_s: Seconds = Field(0.0, description="How old what a job's detail shows is, seconds.")
    pages: Literal["in_order", "repeat", "skip"] = Field("in_order", description="Where a page after the first begins.")
    error_in_200: Literal[
        "never", "error_code", "errorCode", "code", "ret_code", "nested", "deep", "listed", "words", "text"
    ] = Field("never", description="How an empty list that is really an error tells of it.")
    row_names: Literal["shown", "null", "missing"] = Field("shown", description="Whether rows have the job's name.")
    names: Literal["kept", "lower", "upper", "padded", "cut"] = Field("kept", description="How names are rewritten.")
    name_length: int = Field(64, ge=1, description="To how many characters names are `cut`.")
    hidden: Literal["none", "finished", "unfinished", "newest"] = Field(
        "none", description="Jobs that the list does not show."
    )
    name_filter: Literal["obeyed", "matches_nothing"] = Field("obeyed", description="What a filter by name does.")
    create_answer: Literal["its_job", "job_before", "another_name", "no_name", "other_servers", "unknown_id"] = Field(
        "its_job", description="What the answer to a create is about."
    )
    tasks: Literal["of_its_servers", "one_more"] = Field(
        "of_its_servers", description="Of which servers a job has tasks."
    )
    detail_missing_s: Seconds = Field(0.0, description="How long a new job's detail is not found, seconds.")


class Delete(_Switches):
    """Deleting jobs (api-facts 8.14)."""

    processing: Literal["refuse", "vanish"] = Field("refuse", description="Deleting a job that is not over.")
    listed: bool = Field(default=True, description="Whether deleted jobs are listed as DELETED.")


class Fault(_Switches):
    """One thing that goes wrong on a create (api-facts 8.19)."""

    kind: FaultKind = Field(description="What the caller gets.")
    executed: bool | None = Field(None, description="Whether the job is made; null: by chance.")


class Faults(_Switches):
    """What goes wrong between caller and service (api-facts 8.19)."""

    creates: Chance = Field(0.0, description="Chance of a create to go wrong.")
    kinds: list[FaultKind] = Field(
        ["reset", "status_500", "status_502", "status_504"], description="How it goes wrong."
    )
    executed: Chance = Field(0.5, description="Chance of the job to be made all the same.")
    script: dict[int, Fault] = Field({}, description="What goes wrong on the n-th create, from 1.")
    reads: Chance = Field(0.0, description="Chance of a read to answer 503.")
    hang_s: Seconds = Field(60.0, description="How long a hanging answer hangs, seconds.")
    latency_s: Seconds = Field(0.0, description="How long every answer takes, seconds.")


class Behaviour(_Switches):
    """All switches of the simulator."""

    seed: int = Field(0, description="Where all chance comes from.")
    auth: Auth = Field(default_factory=Auth)
    throttle: ThrottleSwitches = Field(default_factory=ThrottleSwitches)
    listing: ListingSwitches = Field(default_factory=ListingSwitches)
    tasks: Tasks = Field(default_factory=Tasks)
    jobs: Jobs = Field(default_factory=Jobs)
    servers: Servers = Field(default_factory=Servers)
    fleet: FleetSwitches = Field(default_factory=FleetSwitches)
    templates: TemplateSwitches = Field(default_factory=TemplateSwitches)
    delete: Delete = Field(default_factory=Delete)
    deviations: Deviations = Field(default_factory=Deviations)
    faults: Faults = Field(default_factory=Faults)

    @classmethod
    def demo(cls) -> Behaviour:
        """Quick and kind: for a first look."""
        return cls(
            tasks=Tasks(duration_s=3.0, spread=0.5),
            throttle=ThrottleSwitches(creates=1000, create_period_s=1.0, reads=1000),
            listing=ListingSwitches(lag_s=0.5),
        )


def load_behaviour(text: str, file: str) -> Behaviour:
    """Read a behaviour from YAML.

    Raises:
        InvalidInput: with all that is wrong.
    """
    source = read_document(text, file)
    try:
        return Behaviour.model_validate(source.data)
    except ValidationError as error:
        problems = []
        for details in error.errors():
            path = tuple(details["loc"])
            line, column = source.key_positions.get(path) or source.position(path)
            hint = ""
            if details["type"] == "extra_forbidden":
                hint = did_you_mean(str(path[-1]), _switches(path[:-1]))
            found = "" if details["type"] in {"missing", "extra_forbidden"} else f", found {details['input']!r}"
            problems.append(Problem(details["msg"] + found, file, line, column, path_text(path), hint))
        raise InvalidInput(*problems) from error


def _switches(path: tuple[str | int, ...]) -> list[str]:
    model: Any = Behaviour
    for part in path:
        model = model.model_fields[str(part)].annotation if str(part) in model.model_fields else Behaviour
    return list(getattr(model, "model_fields", {}))


def behaviour_schema() -> JsonObject:
    """The JSON Schema of a behaviour file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Behaviour.model_json_schema(),
        "title": "behaviour",
    }
