"""What differs between two plans: servers new, gone or moved, and the parameters of their jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.plan.plan import Plan

PlanDiff = dict[str, list[Any]]
"""`new` and `gone`: server ids; `moved`: {server_id, from, to}; `changed`: {step, group, parameter, from, to}."""


def diff_plans(before: Plan, after: Plan) -> PlanDiff:
    """What `after` has that `before` has not, and the other way round."""
    was, now = _groups_of_servers(before), _groups_of_servers(after)
    return {
        "new": [server for server in now if server not in was],
        "gone": [server for server in was if server not in now],
        "moved": [
            {"server_id": server, "from": was[server], "to": group}
            for server, group in now.items()
            if was.get(server, group) != group
        ],
        "changed": list(_changed(_parameters(before), _parameters(after))),
    }


def is_same(diff: PlanDiff) -> bool:
    """Whether nothing differs."""
    return not any(diff.values())


def _groups_of_servers(plan: Plan) -> dict[str, str]:
    return {server.id: group.name for group in plan.groups for server in group.servers}


def _parameters(plan: Plan) -> dict[tuple[str, str], dict[str, object]]:
    """The parameters of the jobs of each step and group: those of its first request stand for all."""
    found: dict[tuple[str, str], dict[str, object]] = {}
    for request in plan.requests:
        key = (plan.steps[request.step], plan.groups[request.group].name)
        if key not in found:
            found[key] = dict(_flat("", request.body))
    return found


def _flat(prefix: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _flat(f"{prefix}.{name}" if prefix else str(name), part)
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from _flat(f"{prefix}[{index}]", part)
    else:
        yield prefix, value


def _changed(
    before: Mapping[tuple[str, str], Mapping[str, object]], after: Mapping[tuple[str, str], Mapping[str, object]]
) -> Iterator[dict[str, object]]:
    for key in after:
        if key not in before:
            continue
        step, group = key
        for name in sorted(before[key].keys() | after[key].keys()):
            was, now = before[key].get(name), after[key].get(name)
            if was != now:
                yield {"step": step, "group": group, "parameter": name, "from": was, "to": now}
