"""A plan that does again, for some servers, what other plans did: the same bodies, for fewer servers.

A server goes on at the step that it did not get through. Servers of one request stay together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from runner.errors import InvalidInput, Problem
from runner.plan.codec import hash_plan
from runner.plan.plan import Plan, PlannedGroup, PlannedRequest, PlanSummary

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runner.model import Lane, Server


class Parent(NamedTuple):
    """A run to do again in part. `again` gives, for each server to take, the step to go on at (its index)."""

    run_id: str
    plan: Plan
    again: Mapping[str, int]


def retry_plan(parents: Sequence[Parent], created_at: float, runner_version: str) -> Plan:
    """The plan over all parents, which come oldest first; how to submit and to watch is the newest's business.

    Raises:
        InvalidInput: the parents have not the same steps.
    """
    newest = parents[-1].plan
    if any(parent.plan.steps != newest.steps for parent in parents):
        raise InvalidInput(Problem("the runs have different steps", hint="retry them one by one"))
    lanes: dict[Lane, int] = {}
    groups: list[PlannedGroup] = []
    requests: list[PlannedRequest] = []
    for parent in parents:
        for index, group in enumerate(parent.plan.groups):
            lane = lanes.setdefault(parent.plan.lanes[group.lane], len(lanes))
            for first_step, servers in _by_step(group.servers, parent.again):
                requests += _requests(parent.plan, index, first_step, servers, len(groups))
                name = group.name if first_step == 0 else f"{group.name}-from-{newest.steps[first_step]}"
                groups.append(PlannedGroup(name, lane, servers))
    count = sum(len(group.servers) for group in groups)
    plan = replace(
        newest,
        created_at=created_at,
        runner_version=runner_version,
        lanes=tuple(lanes),
        groups=tuple(groups),
        requests=tuple(requests),
        summary=PlanSummary(count, count, 0, len(requests), ()),
        parents=tuple(parent.run_id for parent in parents),
        plan_hash="",
    )
    return replace(plan, plan_hash=hash_plan(plan))


def _by_step(servers: Sequence[Server], again: Mapping[str, int]) -> Iterator[tuple[int, tuple[Server, ...]]]:
    for step in sorted({again[server.id] for server in servers if server.id in again}):
        yield step, tuple(server for server in servers if again.get(server.id) == step)


def _requests(
    plan: Plan, group: int, first_step: int, servers: Sequence[Server], new_group: int
) -> Iterator[PlannedRequest]:
    place = {server.id: index for index, server in enumerate(servers)}
    for index, request in enumerate(plan.requests):
        if request.group != group or request.step < first_step:
            continue
        places = [place[server.id] for server in plan.servers_of(index) if server.id in place]
        if places:
            yield PlannedRequest(request.step, new_group, places[0], places[-1] + 1, request.body)
