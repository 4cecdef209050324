"""Values that every floor may use: servers, outcomes, lanes, and what the service says of jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

Json = Any
"""Any value that JSON, or YAML, holds."""
JsonObject = dict[str, Any]
"""A JSON object; what is in it is said where it is made."""
JsonMapping = Mapping[str, Any]
"""The same, to be read only."""


class Server(NamedTuple):
    """One Lite Server.

    `id` is the Lite Server id (ServerResponse.id), never the id of the cloud server below it (api-facts 1.1).
    Servers with equal labels share one `labels` object, so that a fleet of a million fits in memory; treat it as
    read-only. A NamedTuple, because it is the cheapest frozen value to make a million of.
    """

    id: str
    name: str
    labels: Mapping[str, str]


class Outcome(StrEnum):
    """What became of a server."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    TIMED_OUT = "timed_out"
    UNKNOWN = "unknown"
    NOT_STARTED = "not_started"
    EXCLUDED = "excluded"  # by a person, or because another run does it

    # That of enumerations is Python code, and servers are counted by outcome at every event.
    __hash__ = str.__hash__

    @property
    def is_abnormal(self) -> bool:
        """Whether the outcome counts as abnormal: failed, timed out or unknown."""
        return self in _ABNORMAL


_ABNORMAL = frozenset({Outcome.FAILED, Outcome.TIMED_OUT, Outcome.UNKNOWN})


RUNNER = "runner"
"""Who decided, where it was no person."""


class RunState(StrEnum):
    """How a run stands, as lists and reports say it."""

    RUNNING = "running"
    FINISHED = "finished"  # every request is over
    SUBMITTED = "submitted"  # every request is accepted or refused; its jobs are not watched
    ABORTED = "aborted"  # by its own rules or by a person, and nothing is at work any more; cannot be resumed
    STOPPED = "stopped"  # ended before its end
    UNUSABLE = "unusable"  # a lane could not be used
    INTERRUPTED = "interrupted"  # its process is gone without a word

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do of the run."""
        return self in _OVER

    @property
    def is_resumable(self) -> bool:
        """Whether its process ended before the run did."""
        return self in _RESUMABLE


_OVER = frozenset({RunState.FINISHED, RunState.ABORTED})
_RESUMABLE = frozenset({RunState.STOPPED, RunState.UNUSABLE, RunState.INTERRUPTED})


class Lane(NamedTuple):
    """One (endpoint, project): one credential, one rate limit.

    `endpoint` is a URL without a trailing slash; None until it is derived from `region`. `project_id` is None until
    it is looked up in IAM by region.
    """

    region: str | None
    endpoint: str | None
    project_id: str | None

    @property
    def label(self) -> str:
        """A short text that tells lanes apart for a person."""
        return f"{self.endpoint or self.region or 'no endpoint'}/{self.project_id or 'project of the region'}"


@dataclass(frozen=True, slots=True)
class Task:
    """What the service says of one server of a job (api-facts 1.2). `status` is the service's own string.

    Times are epoch seconds, None where the service gave none or one that cannot be read.
    """

    task_id: str | None
    server_id: str
    server_name: str | None
    status: str | None
    message: str | None
    created_at: float | None
    updated_at: float | None
    cloud_server: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Job:
    """What the service says of a job, from the answer to a create or a detail read (api-facts 1.2)."""

    job_id: str
    name: str | None
    service_type: str | None
    status: str | None
    abnormal_count: int | None
    template_id: str | None
    user_name: str | None
    created_at: float | None
    updated_at: float | None
    tasks: Sequence[Task] = ()


class JobRow(NamedTuple):
    """One row of the job list: no tasks there (api-facts 1.3)."""

    job_id: str
    name: str | None
    status: str | None
    created_at: float | None


class JobPage(NamedTuple):
    """One answer of the job list, as it was told (api-facts 1.3): what is None the service did not say.

    `said` is what a page without rows says beside, and may be an error: such a page does not show that there are none.
    """

    rows: tuple[JobRow, ...]
    total: int | None
    current: int | None = None
    pages: int | None = None
    size: int | None = None
    said: str | None = None


class ServiceList(StrEnum):
    """A list that the service has beside that of jobs, by its path below the project (api-facts 1.6, 2)."""

    OWN_SERVERS = "dev-servers"
    ALL_SERVERS = "dev-servers/all"
    OWN_HYPER_INSTANCES = "dev-servers/hyperinstance"
    ALL_HYPER_INSTANCES = "dev-servers/hyperinstance/all"
    TOPOLOGY = "dev-servers/instance-physical-topologies"
    TEMPLATES = "dev-servers/jobs/templates"


class ListedPage(NamedTuple):
    """One answer of such a list, as it was told: rows as they are. None and `said` are as in `JobPage`."""

    rows: tuple[JsonObject, ...]
    total: int | None
    current: int | None = None
    pages: int | None = None
    size: int | None = None
    said: str | None = None


class ListedServer(NamedTuple):
    """One server as the service lists it (api-facts 2): what may be asked of it before anything is sent there.

    `labels` are all that is known of it, these fields among them. `cloud_server_id` is of the machine below it, which a job
    does not take; `hyper_instance` is the id of the one that it is a member of. None: the service does not say.
    """

    id: str
    name: str
    status: str | None
    flavor: str | None
    category: str | None
    cloud_server_id: str | None
    hyper_instance: str | None
    labels: Mapping[str, str]
