"""What differs between two plans: servers new, gone or moved, the parameters of their jobs, the rules of the rollout."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from runner.plan.hooks import hooks_to_json, without_hook_folders
from runner.plan.parameters import flat
from runner.plan.rollout.codec import rollout_to_json, without_folders

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runner.plan.plan import Plan

PlanDiff = dict[str, list[Any]]
"""`new` and `gone`: server ids; `moved`: {server_id, from, to}, groups, or waves and groups; `changed`: {step, group,
parameter, from, to}; `rules`: {parameter, from, to}."""


def diff_plans(before: Plan, after: Plan) -> PlanDiff:
    """What `after` has that `before` has not, and the other way round."""
    was, now = _places_of_servers(before), _places_of_servers(after)
    return {
        "new": [server for server in now if server not in was],
        "gone": [server for server in was if server not in now],
        "moved": [
            {"server_id": server, "from": was[server], "to": group}
            for server, group in now.items()
            if was.get(server, group) != group
        ],
        "changed": list(_changed(_parameters(before), _parameters(after))),
        "rules": list(_differing(_rules(before), _rules(after))),
    }


def _places_of_servers(plan: Plan) -> dict[str, str]:
    """The group of each server; in a plan with a rollout, its wave and group."""
    if plan.rollout is None:
        return {server.id: group.name for group in plan.groups for server in group.servers}
    return {
        server.id: f"{plan.rollout.waves[request.wave].name}/{plan.groups[request.group].name}"
        for index, request in enumerate(plan.requests)
        if request.step == 0
        for server in plan.servers_of(index)
    }


def _rules(plan: Plan) -> dict[str, object]:
    """How carefully, how fast, and who is told."""
    rules: dict[str, object] = dict(flat("submit", asdict(plan.submit)))
    hooks = without_hook_folders(hooks_to_json(plan.hooks))
    rules |= dict(flat("on_event", {str(index): hook for index, hook in enumerate(hooks)}))
    if plan.rollout is not None:
        rollout = without_folders(rollout_to_json(plan.rollout))
        waves = {wave.pop("name"): wave for wave in rollout.pop("waves")}
        del rollout["failure_bodies"]
        rules |= dict(flat("rollout", {**rollout, "waves": waves}))
    return rules


def _parameters(plan: Plan) -> dict[tuple[str, str], dict[str, object]]:
    """The parameters of the jobs of each step and group: those of its first request stand for all."""
    found: dict[tuple[str, str], dict[str, object]] = {}
    for request in plan.requests:
        key = (plan.steps[request.step], plan.groups[request.group].name)
        if key not in found:
            found[key] = dict(flat("", request.body))
    return found


def _changed(
    before: Mapping[tuple[str, str], Mapping[str, object]], after: Mapping[tuple[str, str], Mapping[str, object]]
) -> Iterator[dict[str, object]]:
    for key in after:
        if key not in before:
            continue
        step, group = key
        for found in _differing(before[key], after[key]):
            yield {"step": step, "group": group, **found}


def _differing(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[dict[str, object]]:
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        if was != now:
            yield {"parameter": name, "from": was, "to": now}
