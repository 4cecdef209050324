"""Whether a rollout can be carried out at all: a plan whose limits can never be met is refused, with the reason."""

from __future__ import annotations

from collections import Counter
from itertools import chain, islice
from typing import TYPE_CHECKING

from runner.errors import Problem
from runner.plan.rollout.limits import Limit, campaign_limits, domain_scope, part_limits, value_getter
from runner.spec.rollout.limits import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.plan.rollout.limits import DomainLimits
    from runner.plan.rollout.model import PlannedBudget
    from runner.plan.rollout.waves import GroupServers, WavePlan, WaveSlice
    from runner.servers import ServerColumns
    from runner.spec.campaign import StepSpec
    from runner.spec.per_labels import PerLabels
    from runner.spec.rollout.model import RolloutSpec

_SHOWN = 3
_ZERO_HINT = "give a number of servers, or a larger percentage"


def infeasible(
    spec: RolloutSpec,
    budget: PlannedBudget,
    domains: Sequence[DomainLimits],
    waves: WavePlan,
    groups: Sequence[GroupServers],
    inventory: ServerColumns,
    steps: Sequence[StepSpec],
) -> Iterator[Problem]:
    """Each limit that has no room for what must go together, and each unit that is selected in part."""
    largest = [max((max(part.lengths) for part in parts), default=1) for parts in waves.slices]
    total = sum(len(group.servers) for group in groups)
    per_wave = [(f"wave {wave.name}", wave.servers) for wave in waves.waves]
    per_group = [(f"group {group.name}", len(group.servers)) for group in groups]
    most = max(largest, default=1)
    for limit in (*campaign_limits(budget, total), *chain(*part_limits(budget, Scope.WAVE, per_wave))):
        yield from _too_small(spec, limit, most)
    for limits in part_limits(budget, Scope.GROUP, per_group):
        for limit, size in zip(limits, largest, strict=True):
            yield from _too_small(spec, limit, size)
    yield from _too_small_domains(spec, domains, waves)
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


def _too_small_domains(spec: RolloutSpec, domains: Sequence[DomainLimits], waves: WavePlan) -> Iterator[Problem]:
    parts = [part for parts in waves.slices for part in parts if max(part.lengths) > 1]
    for rule, sizes, most, value_of in domains:
        together = _together(value_of, parts)
        small = [value for value in sizes if most[value] < together.get(value, 1)]
        if small:
            first, needed = small[0], together.get(small[0], 1)
            what = "not one could be touched" if needed == 1 else f"{needed} must go together"
            more = f", and so {len(small) - 1:,} more" if len(small) > 1 else ""
            scope = domain_scope(rule.expression, first)
            message = f"{scope} comes to {most[first]} of {sizes[first]} servers: {what}{more}"
            yield _at(spec, f"budget.per.{rule.expression}", message, _ZERO_HINT)


def _together(value_of: PerLabels[str | None], parts: Sequence[WaveSlice]) -> dict[str | None, int]:
    """By the value of an expression, how many of its servers are in one unit at most."""
    most: dict[str | None, int] = {}
    for part in parts:
        values = iter(value_of.of(part.servers))
        for length in part.lengths:
            for value, count in Counter(islice(values, length)).items():
                most[value] = max(count, most.get(value, 1))
    return most


def _selected_in_part(
    spec: RolloutSpec, budget: PlannedBudget, groups: Sequence[GroupServers], inventory: ServerColumns
) -> Iterator[Problem]:
    """All servers of a unit together or none: also those that the groups, or --limit, leave out."""
    whole = [rule for rule in budget.per if rule.most is None]
    selected = set(chain.from_iterable(group.servers.ids for group in groups)) if whole else set[str]()
    for rule in whole:
        value_of = value_getter(rule.expression, rule.variables)
        values = set(chain.from_iterable(value_of.of(group.servers) for group in groups)) - {None}
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
