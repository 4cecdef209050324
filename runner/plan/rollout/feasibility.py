"""Whether a rollout can be carried out at all: a plan whose limits can never be met is refused, with the reason."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING

from runner.errors import Problem
from runner.plan.rollout.limits import Limit, campaign_limits, domain_scope, domain_table, part_limits, value_getter
from runner.spec.rollout.limits import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.model import Server
    from runner.plan.rollout.model import PlannedBudget, PlannedDomains
    from runner.plan.rollout.waves import GroupServers, WavePlan
    from runner.spec.campaign import StepSpec
    from runner.spec.rollout.model import RolloutSpec

_SHOWN = 3
_ZERO_HINT = "give a number of servers, or a larger percentage"


def infeasible(
    spec: RolloutSpec,
    budget: PlannedBudget,
    waves: WavePlan,
    groups: Sequence[GroupServers],
    inventory: Sequence[Server],
    steps: Sequence[StepSpec],
) -> Iterator[Problem]:
    """Each limit that has no room for what must go together, and each unit that is selected in part."""
    largest = [max((len(unit) for part in parts for unit in part.units), default=1) for parts in waves.slices]
    total = sum(len(group.servers) for group in groups)
    per_wave = [(f"wave {wave.name}", wave.servers) for wave in waves.waves]
    per_group = [(f"group {group.name}", len(group.servers)) for group in groups]
    most = max(largest, default=1)
    for limit in (*campaign_limits(budget, total), *chain(*part_limits(budget, Scope.WAVE, per_wave))):
        yield from _too_small(spec, limit, most)
    for limits in part_limits(budget, Scope.GROUP, per_group):
        for limit, size in zip(limits, largest, strict=True):
            yield from _too_small(spec, limit, size)
    yield from _domains(spec, budget, waves, groups)
    for step in steps:
        if most > step.servers_per_job:
            message = (
                f"step `{step.name}`: {most} servers must go together, and servers_per_job is {step.servers_per_job}"
            )
            yield Problem(message, step.place.file, step.place.line, step.place.column, step.place.path, "raise it")
    yield from _selected_in_part(spec, budget, groups, inventory)


def _too_small(spec: RolloutSpec, limit: Limit, needed: int) -> Iterator[Problem]:
    if limit.most >= needed:
        return
    scope = "" if limit.scope == "campaign" else f" of {limit.scope}"
    what = "not one could be touched" if needed == 1 else f"{needed} must go together"
    message = f"{limit.name}{scope} comes to {limit.most} of {limit.total} servers: {what}"
    yield _at(spec, f"budget.{limit.name}", message, _ZERO_HINT)


def _domains(
    spec: RolloutSpec, budget: PlannedBudget, waves: WavePlan, groups: Sequence[GroupServers]
) -> Iterator[Problem]:
    servers = [group.servers for group in groups]
    units = [unit for parts in waves.slices for part in parts for unit in part.units if len(unit) > 1]
    for rule in budget.per:
        if rule.most is None:
            continue
        together = _together(rule, units)
        limits = domain_table(rule, rule.most, servers).limits
        small = [limit for limit in limits if limit.most < together.get(limit.scope, 1)]
        if small:
            first, needed = small[0], together.get(small[0].scope, 1)
            what = "not one could be touched" if needed == 1 else f"{needed} must go together"
            more = f", and so {len(small) - 1:,} more" if len(small) > 1 else ""
            message = f"{first.scope} comes to {first.most} of {first.total} servers: {what}{more}"
            yield _at(spec, f"budget.per.{rule.expression}", message, _ZERO_HINT)


def _together(rule: PlannedDomains, units: Sequence[Sequence[Server]]) -> dict[str, int]:
    """By the scope of a limit, how many of its servers are in one unit at most."""
    value_of = value_getter(rule.expression, rule.variables)
    most: dict[str, int] = {}
    for unit in units:
        for value, count in Counter(map(value_of, unit)).items():
            scope = domain_scope(rule.expression, value)
            most[scope] = max(count, most.get(scope, 1))
    return most


def _selected_in_part(
    spec: RolloutSpec, budget: PlannedBudget, groups: Sequence[GroupServers], inventory: Sequence[Server]
) -> Iterator[Problem]:
    """All servers of a unit together or none: also those that the groups, or --limit, leave out."""
    selected = {server.id for group in groups for server in group.servers}
    for rule in budget.per:
        if rule.most is not None:
            continue
        value_of = value_getter(rule.expression, rule.variables)
        values = {value_of(server) for group in groups for server in group.servers} - {None}
        missing = [server for server in inventory if server.id not in selected and value_of(server) in values]
        if missing:
            names = ", ".join(server.name for server in missing[:_SHOWN])
            more = f" and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
            message = f"{value_of(missing[0])} is selected in part: {names}{more} would be left out"
            hint = "select all its servers, or none"
            yield _at(spec, f"budget.per.{rule.expression}", message, hint)


def _at(spec: RolloutSpec, path: str, message: str, hint: str) -> Problem:
    place = spec.place_of(path)
    return Problem(message, place.file, place.line, place.column, f"rollout.{path}", hint)
