"""The jobspec as typed values: what `load_campaign` makes of a file, before any server is known.

Strings that may hold templates are kept unrendered as `Template` values, which know where they stand in the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.spec.hooks import HookSpec
    from runner.spec.rollout.model import RolloutSpec


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: the file as the person named it, line and column from 1, and the path inside."""

    file: str
    line: int
    column: int
    path: str


@dataclass(frozen=True, slots=True)
class Template:
    """A scalar of the file that may be a Jinja2 template. `source` is text, number, boolean or None as YAML read it."""

    source: str | int | float | bool | None
    place: Place


@dataclass(frozen=True, slots=True)
class ServiceInventory:
    """Servers as the service lists them: the user's own (scope `mine`), or `all` of the tenant.

    Only those for which `select` holds, if it is there. A list that is kept may be `max_age_s` seconds old. `join` is a
    file whose labels are added by id.
    """

    scope: str = "mine"
    select: Template | None = None
    max_age_s: float = 600.0
    join: Template | None = None


@dataclass(frozen=True, slots=True)
class LaneSpec:
    """Where requests go. None: not said here. A group's lane overrides the jobspec's, field by field."""

    region: Template | None = None
    endpoint: Template | None = None
    project_id: Template | None = None


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """A named selection of servers.

    Selected by `select` (a Jinja expression over the server) or by `servers` (ids, names,
    names with ranges such as `node-[001-050]`), exactly one of the two. `split_by` is an expression too; a group is
    then made per value.
    """

    name: str
    place: Place
    select: Template | None = None
    servers: tuple[Template, ...] | None = None
    split_by: Template | None = None
    vars: Mapping[str, object] = field(default_factory=dict)
    lane: LaneSpec = LaneSpec()


@dataclass(frozen=True, slots=True)
class ItemSpec:
    """One item of a job (api-facts 1.1): a type and a free map of strings."""

    type: Template
    spec: Mapping[str, Template]
    place: Place


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One kind of job. `servers_per_job` is how many servers go into one request.

    `expected_duration_s` is how long a job of it is taken to last before one was seen; None: the stated default.
    """

    name: str
    place: Place
    type: Template
    job_name: Template
    items: tuple[ItemSpec, ...]
    servers_per_job: int
    job_description: Template | None = None
    is_reboot: bool | None = None
    expected_duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class Submit:
    """How requests are let out, per lane. Rates are per second; durations are seconds."""

    rate: float = 10.0
    burst: int = 10
    concurrency: int = 16
    timeout_s: float = 30.0
    attempts: int = 5
    settle_s: float = 15.0
    outage_s: float = 1800.0
    longest_pause_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Watch:
    """How jobs are watched, per lane. `rate` is reads per second; durations are seconds."""

    rate: float = 10.0
    job_timeout_s: float = 7200.0


@dataclass(frozen=True, slots=True)
class Campaign:
    """A whole jobspec. `source` is the file's text as it was read (it is kept in the plan); `file` its path as given.

    Values in `vars` (here and in groups) are YAML values whose strings are `Template`s at any depth.
    """

    name: str
    file: str
    source: str
    description: Template | None
    vars: Mapping[str, object]
    inventory: Template | ServiceInventory | None
    lane: LaneSpec
    groups: tuple[GroupSpec, ...]
    steps: tuple[StepSpec, ...]
    submit: Submit
    watch: Watch
    rollout: RolloutSpec | None = None
    hooks: tuple[HookSpec, ...] = ()
