"""A plan: a jobspec expanded, every request frozen. Servers of a group are in request order; a request is a slice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.model import Lane, Server
    from runner.plan.hooks import PlannedHook
    from runner.plan.rollout.model import Rollout
    from runner.spec.campaign import Submit, Watch


@dataclass(frozen=True, slots=True)
class PlannedGroup:
    """A group after selection and splitting. `lane` is an index into `Plan.lanes`.

    Its servers have their labels, but for a plan from before plans without a rollout kept any.
    """

    name: str
    lane: int
    servers: Sequence[Server]


class PlannedRequest(NamedTuple):
    """One create-job call to be.

    `group` and `step` are indices into the plan; the servers are `groups[group].servers[start:stop]`. `body` is the
    rendered body without `server_ids`; its `name` lacks the request's key, which needs a run id. Requests of one
    (step, group) that render alike share one `body` object: treat it as read-only. Secrets stand in it as references.
    `wave` is an index into the waves of the rollout.
    """

    step: int
    group: int
    start: int
    stop: int
    body: Mapping[str, object]
    wave: int = 0


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
    """Every request of a campaign, in order: by wave, in it by group in the jobspec's order, in that by step.

    `steps` are the names of the steps: first those that a server goes through one after the other, then those that only
    the rollout asks for, as checks or after failures. `created_at` is epoch seconds. `plan_hash` is over what the plan does,
    not when or where it was made (`runner.plan.hashing`). `jobspec` is the file's text; `variables` are those given from
    outside (vars file, `-e`). `parents` are the runs that this plan does again for some servers. `hooks` are
    told of the run.
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
    rollout: Rollout | None = None
    hooks: tuple[PlannedHook, ...] = ()

    @property
    def main_steps(self) -> int:
        """How many of the steps a server goes through; the rest are the rollout's."""
        return len(self.steps) if self.rollout is None else self.rollout.main_steps

    def with_servers_made(self) -> Plan:
        """The plan with each server as an object, for a run that asks for all of them, and again and again."""
        groups = (replace(group, servers=tuple(group.servers)) for group in self.groups)
        return replace(self, groups=tuple(groups))

    def servers_of(self, index: int) -> Sequence[Server]:
        """The servers planned for the request at `index`."""
        request = self.requests[index]
        return self.groups[request.group].servers[request.start : request.stop]
