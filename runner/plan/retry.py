"""A plan that does again, for some servers, what other plans did: the same bodies, for fewer servers.

A server goes on at the step that it did not get through. Servers of one request stay together.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, count
from typing import TYPE_CHECKING, NamedTuple

from runner.errors import InvalidInput, Problem
from runner.plan.codec import hash_plan
from runner.plan.digests import LaneServer
from runner.plan.plan import Plan, PlannedGroup, PlannedRequest, PlanSummary
from runner.plan.rollout.limits import domain_tables
from runner.plan.rollout.model import PlannedBudget
from runner.spec.rollout.limits import LIMITS, Scope
from runner.spec.rollout.model import Share

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from runner.model import Lane, Server
    from runner.plan.rollout.model import Rollout


class Parent(NamedTuple):
    """A run to do again in part. `again` gives, for each server to take, the step to go on at (its index)."""

    run_id: str
    plan: Plan
    again: Mapping[LaneServer, int]


def retry_plan(parents: Sequence[Parent], created_at: float, runner_version: str) -> Plan:
    """The plan over all parents, which come oldest first; how to submit and to watch is the newest's business.

    Raises:
        InvalidInput: the parents have not the same steps.
    """
    newest = parents[-1].plan
    if any(parent.plan.steps != newest.steps for parent in parents):
        raise InvalidInput(Problem("the runs have different steps", hint="retry them one by one"))
    if any(_wave_names(parent.plan) != _wave_names(newest) for parent in parents):
        raise InvalidInput(Problem("the runs have different waves", hint="retry them one by one"))
    lanes: dict[Lane, int] = {}
    groups: list[PlannedGroup] = []
    requests: list[PlannedRequest] = []
    failure_bodies: list[Mapping[str, object]] = []
    for parent in parents:
        for index, group in enumerate(parent.plan.groups):
            lane = lanes.setdefault(parent.plan.lanes[group.lane], len(lanes))
            for first_step, servers in _by_step(parent, group):
                requests += _requests(parent.plan, index, first_step, servers, len(groups))
                name = group.name if first_step == 0 else f"{group.name}-from-{newest.steps[first_step]}"
                groups.append(PlannedGroup(_free_name(name, groups), lane, servers))
                failure_bodies += _failure_body(parent.plan, index)
    requests.sort(key=lambda request: (request.wave, request.group, request.step, request.start))
    rollout, requests = _rollout(newest, groups, requests, failure_bodies)
    total = sum(len(group.servers) for group in groups)
    plan = replace(
        newest,
        created_at=created_at,
        runner_version=runner_version,
        lanes=tuple(lanes),
        groups=tuple(groups),
        requests=tuple(requests),
        summary=PlanSummary(total, total, 0, len(requests), ()),
        parents=tuple(parent.run_id for parent in parents),
        plan_hash="",
        rollout=rollout,
    )
    return replace(plan, plan_hash=hash_plan(plan))


def _wave_names(plan: Plan) -> list[str]:
    return [wave.name for wave in plan.rollout.waves] if plan.rollout else []


def _free_name(name: str, groups: Sequence[PlannedGroup]) -> str:
    """Groups of several runs may be called alike."""
    taken = {group.name for group in groups}
    return next(free for free in chain([name], (f"{name}-{number}" for number in count(2))) if free not in taken)


def _failure_body(plan: Plan, group: int) -> Sequence[Mapping[str, object]]:
    return plan.rollout.failure_bodies[group : group + 1] if plan.rollout else ()


def _rollout(
    plan: Plan,
    groups: Sequence[PlannedGroup],
    requests: Sequence[PlannedRequest],
    failure_bodies: Sequence[Mapping[str, object]],
) -> tuple[Rollout | None, list[PlannedRequest]]:
    """The rollout of a plan for those waves that are left, and the requests in them."""
    if plan.rollout is None:
        return None, list(requests)
    servers: dict[int, set[str]] = {}
    for request in requests:
        chosen = groups[request.group].servers[request.start : request.stop]
        servers.setdefault(request.wave, set()).update(server.id for server in chosen)
    left = {wave: place for place, wave in enumerate(sorted(servers))}
    waves = tuple(replace(plan.rollout.waves[wave], servers=len(servers[wave])) for wave in left)
    rollout = replace(
        plan.rollout, waves=waves, budget=_as_counts(plan, plan.rollout.budget), failure_bodies=tuple(failure_bodies)
    )
    return rollout, [request._replace(wave=left[request.wave]) for request in requests]


def _as_counts(plan: Plan, budget: PlannedBudget) -> PlannedBudget:
    """The limits in servers: a percentage of the few servers of a retry would be none.

    Of several waves, groups or domains the smallest limit counts for all, for a retry must not be bolder; one at least.
    """
    total = sum(len(group.servers) for group in plan.groups)
    totals = {
        Scope.CAMPAIGN: [total],
        Scope.WAVE: [wave.servers for wave in plan.rollout.waves] if plan.rollout else [],
        Scope.GROUP: [len(group.servers) for group in plan.groups],
    }
    per = []
    for rule, table in zip([rule for rule in budget.per if rule.most], domain_tables(plan), strict=True):
        per.append(replace(rule, most=_smallest(limit.most for limit in table.limits)))
    limits = {
        kind.name: _smallest(map(share.of, totals[kind.scope]))
        for kind in LIMITS
        if (share := budget.limits.get(kind.name)) is not None
    }
    return PlannedBudget(limits, (*per, *(rule for rule in budget.per if rule.most is None)))


def _smallest(servers: Iterable[int]) -> Share:
    most = max(1, min(servers, default=1))
    return Share(str(most), count=most)


def _by_step(parent: Parent, group: PlannedGroup) -> Iterator[tuple[int, tuple[Server, ...]]]:
    label = parent.plan.lanes[group.lane].label
    by_step: dict[int, list[Server]] = {}
    for server in group.servers:
        step = parent.again.get(LaneServer(label, server.id))
        if step is not None:
            by_step.setdefault(step, []).append(server)
    for step, some in sorted(by_step.items()):
        yield step, tuple(some)


def _requests(
    plan: Plan, group: int, first_step: int, servers: Sequence[Server], new_group: int
) -> Iterator[PlannedRequest]:
    place = {server.id: index for index, server in enumerate(servers)}
    for index, request in enumerate(plan.requests):
        if request.group != group or request.step < first_step:
            continue
        places = [place[server.id] for server in plan.servers_of(index) if server.id in place]
        if places:
            yield PlannedRequest(request.step, new_group, places[0], places[-1] + 1, request.body, request.wave)
