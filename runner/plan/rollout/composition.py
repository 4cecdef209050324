"""What the waves of a plan are made of: in how many racks their servers stand, how many there are of each flavor."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from runner.servers import columns_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.plan.plan import Plan
    from runner.plan.rollout.limits import DomainTable

# A label with more values than this is no kind of server, and more such labels than that are no help.
_MOST_KINDS = 5
_MOST_LABELS = 2


class Composition(NamedTuple):
    """What `called` tells of each wave: how many values of it are in the wave, or how many servers each value has.

    `counts` are by wave; of an expression with a limit only the number of values is of interest (`is_limited`).
    """

    called: str
    counts: list[Counter[str]]
    is_limited: bool


class _Stretch(NamedTuple):
    """Servers of a group that are in one wave."""

    wave: int
    group: int
    start: int
    stop: int


def compositions(plan: Plan, tables: Sequence[DomainTable]) -> list[Composition]:
    """Of the expressions with limits, whose `tables` these are, and of the labels that have few values."""
    if plan.rollout is None:
        return []
    stretches, waves = [*_stretches(plan)], len(plan.rollout.waves)
    rules = [rule for rule in plan.rollout.budget.per if rule.most]
    found: list[Composition] = []
    for rule, table in zip(rules, tables, strict=True):
        scopes: list[str | None] = [limit.scope for limit in table.limits]
        columns = [[None if place is None else scopes[place] for place in of_group] for of_group in table.places]
        found.append(Composition(rule.expression, _counted(stretches, columns, waves), is_limited=True))
    limited = {rule.expression for rule in rules}
    return found + [
        Composition(f"labels.{name}", _counted(stretches, columns, waves), is_limited=False)
        for name, columns in _kinds(plan)
        if f"labels.{name}" not in limited
    ]


def _stretches(plan: Plan) -> Iterator[_Stretch]:
    """Every server once: requests of one wave and group that follow each other are one stretch."""
    last: _Stretch | None = None
    for request in plan.requests:
        if request.step:
            continue
        if last and (last.wave, last.group, last.stop) == (request.wave, request.group, request.start):
            last = last._replace(stop=request.stop)
            continue
        if last:
            yield last
        last = _Stretch(request.wave, request.group, request.start, request.stop)
    if last:
        yield last


def _counted(stretches: Sequence[_Stretch], columns: Sequence[Sequence[str | None]], waves: int) -> list[Counter[str]]:
    counts = [Counter[str | None]() for _ in range(waves)]
    for wave, group, start, stop in stretches:
        counts[wave].update(columns[group][start:stop])
    return [Counter({value: count for value, count in of.items() if value is not None}) for of in counts]


def _kinds(plan: Plan) -> Iterator[tuple[str, list[list[str | None]]]]:
    """The first labels that have few values, with the value of each server of each group."""
    groups = [columns_of(group.servers) for group in plan.groups]
    names = dict.fromkeys(chain.from_iterable(group.label_names() for group in groups))
    found = 0
    for name in names:
        values = {value for group in groups for value in group.label(name)} - {None}
        if 1 < len(values) <= _MOST_KINDS and found < _MOST_LABELS:
            found += 1
            yield name, [[*map(group.label(name).__getitem__, group.places)] for group in groups]
