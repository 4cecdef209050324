"""A plan: a jobspec expanded, every request frozen. Servers of a group are in request order; a request is a slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.model import Lane, Server
    from runner.spec.campaign import Submit, Watch


@dataclass(frozen=True, slots=True)
class PlannedGroup:
    """A group after selection and splitting. `lane` is an index into `Plan.lanes`.

    A plan read from a file has its servers without their labels.
    """

    name: str
    lane: int
    servers: tuple[Server, ...]


class PlannedRequest(NamedTuple):
    """One create-job call to be.

    `group` and `step` are indices into the plan; the servers are `groups[group].servers[start:stop]`. `body` is the
    rendered body without `server_ids`; its `name` lacks the request's key, which needs a run id. Requests of one
    (step, group) that render alike share one `body` object: treat it as read-only. Secrets stand in it as references.
    """

    step: int
    group: int
    start: int
    stop: int
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """Numbers a person checks before approving. `unselected` servers are in the inventory and in no group."""

    inventory_servers: int
    selected: int
    unselected: int
    requests: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Every request of a campaign, in order: by step within a group, groups in the jobspec's order.

    `steps` are the names of the steps. `created_at` is epoch seconds. `plan_hash` is `sha256:` and the hex digest
    over the canonical JSON of everything else. `jobspec` is the file's text; `variables` are those given from
    outside (vars file, `-e`). `parents` are the runs that this plan does again for some servers.
    """

    campaign: str
    description: str
    jobspec: str
    variables: Mapping[str, object]
    inventory_fingerprint: str
    runner_version: str
    created_at: float
    lanes: tuple[Lane, ...]
    steps: tuple[str, ...]
    groups: tuple[PlannedGroup, ...]
    requests: tuple[PlannedRequest, ...]
    submit: Submit
    watch: Watch
    summary: PlanSummary
    plan_hash: str
    parents: tuple[str, ...] = ()

    def servers_of(self, index: int) -> tuple[Server, ...]:
        """The servers planned for the request at `index`."""
        request = self.requests[index]
        return self.groups[request.group].servers[request.start : request.stop]
