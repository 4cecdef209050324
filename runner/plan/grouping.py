"""Servers into groups: a server belongs to the first group that selects it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.errors import Problem
from runner.plan.listing import ListedServers
from runner.plan.part_names import part_name
from runner.plan.variables import server_expression
from runner.spec.expressions import once_per_labels
from runner.spec.ranges import RangeError, expand_ranges
from runner.spec.templates import TemplateProblem, render_text
from runner.spec.texts import NotRendered, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runner.model import JsonMapping, Server
    from runner.spec.campaign import GroupSpec, Template


@dataclass(frozen=True, slots=True)
class SelectedGroup:
    """A group and its servers, in the inventory's order.

    `name` differs from the spec's where the group was split, by the `value` of which this is the part.
    """

    name: str
    spec: GroupSpec
    servers: Sequence[Server]
    value: str | None = None


def select_groups(
    groups: Sequence[GroupSpec],
    servers: Iterable[Server],
    contexts: Sequence[JsonMapping],
    problems: list[Problem],
    left_out: Sequence[Server] = (),
) -> list[SelectedGroup]:
    """Every group with its servers. `contexts` are what each group's templates see.

    `left_out` are servers that are there, and are for no group. What is wrong goes to `problems`.
    """
    listed = [_listed(group, context, problems) for group, context in zip(groups, contexts, strict=True)]
    chosen: list[list[Server]] = [[] for _ in groups]
    choose = _chooser(groups, listed, contexts)
    try:
        for server in servers:
            index = choose(server)
            if index is not None:
                chosen[index].append(server)
    except TemplateProblem as error:
        problems.append(error.problem)
        return []
    selected: list[SelectedGroup] = []
    for group, members, entries, context in zip(groups, chosen, listed, contexts, strict=True):
        if entries is not None:
            for server in left_out:
                entries.has(server)
            problems += entries.problems()
        selected += split_group(group, members, context, groups, problems)
    return selected


def matching(
    groups: Sequence[GroupSpec], index: int, servers: Iterable[Server], contexts: Sequence[JsonMapping]
) -> tuple[list[Server], int]:
    """The servers of the group at `index`, and how many more it would have, were they not in groups before it.

    Raises:
        TemplateProblem: a server cannot be looked at.
    """
    listed = [_listed(group, context, []) for group, context in zip(groups, contexts, strict=True)]
    choose, is_wanted = _chooser(groups, listed, contexts), _test(groups[index], listed[index], contexts[index])
    wanted = [server for server in servers if is_wanted(server)]
    own = [server for server in wanted if choose(server) == index]
    return own, len(wanted) - len(own)


def _listed(group: GroupSpec, context: JsonMapping, problems: list[Problem]) -> ListedServers | None:
    return None if group.servers is None else ListedServers(listed_names(group, context, problems))


def listed_names(group: GroupSpec, context: JsonMapping, problems: list[Problem]) -> dict[str, Template]:
    """The ids and names of the servers that a group lists, each with where it was first written."""
    names: dict[str, Template] = {}
    for template in group.servers or ():
        try:
            for name in expand_ranges(render_text(template, context)):
                names.setdefault(name, template)
        except RangeError as error:
            problems.append(_at(template, str(error)))
        except TemplateProblem as error:
            problems.append(error.problem)
    return names


def _chooser(
    groups: Sequence[GroupSpec], listed: Sequence[ListedServers | None], contexts: Sequence[JsonMapping]
) -> Callable[[Server], int | None]:
    """The function that gives a server's group. Where only labels matter, equal labels are looked at once."""
    tests: list[Callable[[Server], object]] = []
    by_labels_alone = True
    for group, entries, context in zip(groups, listed, contexts, strict=True):
        tests.append(_test(group, entries, context))
        if entries is not None:
            by_labels_alone = False
        elif group.select is not None:
            expression = server_expression(group.select, context, is_condition=True)
            by_labels_alone = by_labels_alone and expression.uses_only_labels

    def first(server: Server) -> int | None:
        # Every list is asked, so that an entry taken by an earlier group does not count as absent.
        found = None
        for index, test in enumerate(tests):
            if (found is None or listed[index] is not None) and test(server) and found is None:
                found = index
        return found

    return once_per_labels(first) if by_labels_alone else first


def _test(group: GroupSpec, entries: ListedServers | None, context: JsonMapping) -> Callable[[Server], object]:
    if entries is not None:
        return entries.has
    if group.select is None:
        return lambda _: False
    return server_expression(group.select, context, is_condition=True).value


def split_group(
    group: GroupSpec,
    members: Sequence[Server],
    context: JsonMapping,
    groups: Sequence[GroupSpec],
    problems: list[Problem],
) -> list[SelectedGroup]:
    """The parts of a group by the values of its `split_by`, or else the group itself. What is wrong goes to `problems`.

    `context` is what the group's templates see. `groups` are all of the jobspec, for a part must not be called as another.
    """
    if group.split_by is None:
        return [SelectedGroup(group.name, group, members)]
    parts, lacking = _by_value(group.split_by, members, context, problems)
    if lacking:
        message = f"{len(lacking):,} servers of group `{group.name}` have no value to split by, such as {lacking[0].id}"
        problems.append(_at(group.split_by, message, "select only servers that have it"))
    if not parts:
        return [SelectedGroup(group.name, group, ())]
    named = [SelectedGroup(part_name(group, value, groups), group, part, value) for value, part in parts.items()]
    doubles = [name for name, count in Counter(part.name for part in named).items() if count > 1]
    problems += [_at(group.split_by, f"several parts would be called {name!r}") for name in doubles]
    return named


def _by_value(
    split_by: Template, members: Sequence[Server], context: JsonMapping, problems: list[Problem]
) -> tuple[dict[str, list[Server]], list[Server]]:
    """The servers by the text of what they are split by, and those for which it gives none."""
    expression = server_expression(split_by, context)

    def text(server: Server) -> str:
        value = expression.value(server)
        try:
            return "" if value is None else text_of(value)
        except NotRendered as error:
            raise TemplateProblem(_at(split_by, f"for server {server.id}: {error.message}", error.hint)) from error

    value_of = once_per_labels(text) if expression.uses_only_labels else text
    parts: dict[str, list[Server]] = {}
    try:
        for server in members:
            parts.setdefault(value_of(server), []).append(server)
    except TemplateProblem as error:
        problems.append(error.problem)
    lacking = parts.pop("", [])
    return parts, lacking


def _at(template: Template, message: str, hint: str = "") -> Problem:
    place = template.place
    return Problem(message, place.file, place.line, place.column, place.path, hint)
