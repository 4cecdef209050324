"""What is sent to whom: the parameters of the jobs of each step, and how they differ between groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.plan.plan import Plan

_MOST_BODIES = 10_000


class Parameter(NamedTuple):
    """One parameter of a step's jobs: for each group its values, as JSON, each with the servers that get it."""

    path: str
    values: dict[str, Counter[str]]

    @property
    def is_same(self) -> bool:
        """Whether all get the same."""
        return len({value for values in self.values.values() for value in values}) == 1


class StepParameters(NamedTuple):
    """The parameters of a step. `unread` servers get jobs that were not looked at: there are too many groups."""

    step: str
    servers: int
    parameters: list[Parameter]
    unread: int


def flat(prefix: str, value: object) -> Iterator[tuple[str, object]]:
    """The parts of a JSON value that have none themselves, each with its path, such as `items[0].spec.version`."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from flat(f"{prefix}.{name}" if prefix else str(name), part)
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from flat(f"{prefix}[{index}]", part)
    else:
        yield prefix, value


def step_parameters(plan: Plan) -> list[StepParameters]:
    """What the jobs of each step are given, in the order of the steps; steps without a request are left out."""
    # Requests that render alike share one body, so each body is looked at once however many servers there are.
    bodies: dict[tuple[int, int, int], Mapping[str, object]] = {}
    servers = Counter[tuple[int, int, int]]()
    for request in plan.requests:
        key = (request.step, request.group, id(request.body))
        bodies.setdefault(key, request.body)
        servers[key] += request.stop - request.start
    found: list[StepParameters] = []
    for step, name in enumerate(plan.steps):
        keys = [key for key in bodies if key[0] == step]
        read, unread = keys[:_MOST_BODIES], keys[_MOST_BODIES:]
        if keys:
            values = _values(plan, {key: bodies[key] for key in read}, servers)
            parameters = [Parameter(path, by_group) for path, by_group in values.items()]
            found.append(
                StepParameters(name, sum(servers[key] for key in keys), parameters, sum(servers[key] for key in unread))
            )
    return found


def _values(
    plan: Plan, bodies: Mapping[tuple[int, int, int], Mapping[str, object]], servers: Counter[tuple[int, int, int]]
) -> dict[str, dict[str, Counter[str]]]:
    values: dict[str, dict[str, Counter[str]]] = {}
    for key, body in bodies.items():
        for path, value in flat("", body):
            by_group = values.setdefault(path, {})
            by_group.setdefault(plan.groups[key[1]].name, Counter())[orjson.dumps(value).decode()] += servers[key]
    return values
