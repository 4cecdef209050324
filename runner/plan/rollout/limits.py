"""What the limits of a rollout come to for the servers of a plan: the denominators are said here, and nowhere else.

A limit in percent is of the servers that it is about: those of the campaign, of the wave, of the group, or of one value
of the expression (a rack, say), counted over all servers of the plan; it is rounded down.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from runner.plan.rollout.ordering import units_of
from runner.servers import columns_of
from runner.spec.campaign import Place, Template
from runner.spec.expressions import ServerExpression, text_getter
from runner.spec.rollout.limits import LIMITS, PER, Counted, Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runner.model import JsonMapping, Server
    from runner.plan.plan import Plan
    from runner.plan.rollout.model import PlannedBudget, PlannedDomains
    from runner.servers import ServerColumns
    from runner.spec.per_labels import PerLabels
    from runner.spec.rollout.model import Share


_NO_VARIABLES: JsonMapping = {}


class Limit(NamedTuple):
    """At most `most` servers of `total` may be counted, with all in flight taken as lost.

    `scope` names what it is about, such as `labels.rack=r01`.
    """

    name: str
    scope: str
    most: int
    total: int
    counts: Counted


def value_getter(expression: str, variables: JsonMapping = _NO_VARIABLES) -> PerLabels[str | None]:
    """The value of an expression for a server, as text; None where there is none. `variables` are those that it uses.

    Raises:
        TemplateProblem: it cannot be evaluated for a server.
    """
    template = Template(expression, Place("rollout", 1, 1, "budget.per"))
    return text_getter(ServerExpression(template, variables, planned=True))


@dataclass(frozen=True, slots=True)
class DomainTable:
    """The limits of one expression: for each server of each group the place of its limit in `limits`, or None."""

    limits: tuple[Limit, ...]
    places: tuple[tuple[int | None, ...], ...]


def campaign_limits(budget: PlannedBudget, total: int) -> list[Limit]:
    """The limits that are about all servers."""
    return [limit for (limit,) in part_limits(budget, Scope.CAMPAIGN, [(Scope.CAMPAIGN.value, total)])]


def part_limits(budget: PlannedBudget, scope: Scope, parts: Sequence[tuple[str, int]]) -> list[list[Limit]]:
    """For each limit of this scope that the budget has: what it comes to for each part, such as a wave.

    A part is what it is called, and how many servers it has.
    """
    return [
        [Limit(kind.name, called, share.of(total), total, kind.counts) for called, total in parts]
        for kind in LIMITS
        if kind.scope is scope and (share := budget.limits.get(kind.name)) is not None
    ]


def domain_tables(plan: Plan) -> list[DomainTable]:
    """A table for each expression with a limit."""
    if plan.rollout is None:
        return []
    groups = [group.servers for group in plan.groups]
    return [domain_table(rule, rule.most, groups) for rule in plan.rollout.budget.per if rule.most]


def domain_table(rule: PlannedDomains, most: Share, groups: Sequence[Sequence[Server]]) -> DomainTable:
    """The limits of a rule for the servers of each group."""
    value_of = value_getter(rule.expression, rule.variables)
    values = [value_of.of(columns_of(servers)) for servers in groups]
    sizes = _sizes(values)
    limits = tuple(
        Limit(PER.name, domain_scope(rule.expression, value), most.of(total), total, PER.counts)
        for value, total in sizes.items()
    )
    place_of: dict[str | None, int | None] = {value: place for place, value in enumerate(sizes)}
    return DomainTable(limits, tuple(tuple(map(place_of.get, of_group)) for of_group in values))


class DomainLimits(NamedTuple):
    """What a rule comes to for each value of its expression: how many servers have it, and how many of them may be counted.

    `value_of` gives the value of any server of the plan.
    """

    rule: PlannedDomains
    sizes: Mapping[str, int]
    most: Mapping[str, int]
    value_of: PerLabels[str | None]


def domain_limits(budget: PlannedBudget, groups: Sequence[ServerColumns]) -> list[DomainLimits]:
    """For each expression with a limit: what it comes to for all servers of these groups."""
    found = []
    for rule in budget.per:
        if rule.most is not None:
            value_of = value_getter(rule.expression, rule.variables)
            sizes = _sizes([value_of.of(servers) for servers in groups])
            most_of = {size: rule.most.of(size) for size in set(sizes.values())}
            found.append(DomainLimits(rule, sizes, {value: most_of[size] for value, size in sizes.items()}, value_of))
    return found


def _sizes(values: Iterable[Sequence[str | None]]) -> dict[str, int]:
    """How often each value stands, in the order in which they come up."""
    counts = Counter(chain.from_iterable(values))
    return {value: count for value, count in counts.items() if value is not None}


def domain_scope(expression: str, value: str | None) -> str:
    """What the limit of a value is about."""
    return f"{expression}={value}"


def unit_starts(plan: Plan) -> list[Sequence[bool]] | None:
    """For each group, whether a server begins a new unit (servers that are never parted); None: each is its own.

    The servers of a unit stand together in a plan.
    """
    if plan.rollout is None:
        return None
    whole = [value_getter(rule.expression, rule.variables) for rule in plan.rollout.budget.per if rule.most is None]
    if not whole:
        return None
    return [_starts(columns_of(group.servers), whole) for group in plan.groups]


def _starts(servers: ServerColumns, whole: Sequence[PerLabels[str | None]]) -> list[bool]:
    firsts = {unit[0] for unit in units_of([value_of.of(servers) for value_of in whole], len(servers))}
    return [place in firsts for place in range(len(servers))]
