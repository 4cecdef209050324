"""Servers into groups: a server belongs to the first group that selects it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING

from runner.errors import Problem
from runner.plan.listing import ListedServers
from runner.plan.part_names import part_name
from runner.plan.variables import server_expression
from runner.servers import indices_by
from runner.spec.per_labels import LooksAt, PerLabels
from runner.spec.ranges import RangeError, expand_ranges
from runner.spec.templates import TemplateProblem, render_text
from runner.spec.texts import NotRendered, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from runner.model import JsonMapping, Server
    from runner.servers import ServerColumns
    from runner.spec.campaign import GroupSpec, Template


@dataclass(frozen=True, slots=True)
class SelectedGroup:
    """A group and its servers, in the inventory's order.

    `name` differs from the spec's where the group was split, by the `value` of which this is the part.
    """

    name: str
    spec: GroupSpec
    servers: ServerColumns
    value: str | None = None


def select_groups(
    groups: Sequence[GroupSpec],
    servers: ServerColumns,
    contexts: Sequence[JsonMapping],
    problems: list[Problem],
    left_out: Sequence[Server] = (),
) -> list[SelectedGroup]:
    """Every group with its servers. `contexts` are what each group's templates see.

    `left_out` are servers that are there, and are for no group. What is wrong goes to `problems`.
    """
    listed = [_listed(group, context, problems) for group, context in zip(groups, contexts, strict=True)]
    try:
        numbers = _Chooser(groups, listed, contexts).numbers(servers)
    except TemplateProblem as error:
        problems.append(error.problem)
        return []
    found = indices_by(numbers)
    chosen = [servers.take(found.get(index, ())) for index in range(len(groups))]
    selected: list[SelectedGroup] = []
    for group, members, entries, context in zip(groups, chosen, listed, contexts, strict=True):
        if entries is not None:
            for server in left_out:
                entries.has(server)
            problems += entries.problems()
        selected += split_group(group, members, context, groups, problems)
    return selected


def matching(
    groups: Sequence[GroupSpec], index: int, servers: ServerColumns, contexts: Sequence[JsonMapping]
) -> tuple[ServerColumns, int]:
    """The servers of the group at `index`, and how many more it would have, were they not in groups before it.

    Raises:
        TemplateProblem: a server cannot be looked at.
    """
    listed = [_listed(group, context, []) for group, context in zip(groups, contexts, strict=True)]
    chooser, is_wanted = _Chooser(groups, listed, contexts), _test(groups[index], listed[index], contexts[index])
    answers = is_wanted.of(servers) if isinstance(is_wanted, PerLabels) else map(is_wanted, servers)
    wanted = servers.take(list(compress(range(len(servers)), answers)))
    own = [place for place, number in enumerate(chooser.numbers(wanted)) if number == index]
    return wanted.take(own), len(wanted) - len(own)


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


class _Chooser:
    """Gives the index of each server's group."""

    def __init__(
        self,
        groups: Sequence[GroupSpec],
        listed: Sequence[ListedServers | None],
        contexts: Sequence[JsonMapping],
    ) -> None:
        self._listed = listed
        self._tests = [_test(*of_group) for of_group in zip(groups, listed, contexts, strict=True)]

    def numbers(self, servers: ServerColumns) -> list[int | None]:
        """For each server the index of its group; None for one that is in none.

        Raises:
            TemplateProblem: for the first server that cannot be looked at.
        """
        looks = [test.looks_at for test in self._tests if isinstance(test, PerLabels)]
        if len(looks) < len(self._tests):
            return list(map(self._first, servers))
        reads = [labels for _, labels in looks if labels is not None]
        together = frozenset[str]().union(*reads) if len(reads) == len(looks) else None
        return PerLabels(LooksAt(all(alone for alone, _ in looks), together), self._first).of(servers)

    def _first(self, server: Server) -> int | None:
        # Every list is asked, so that an entry taken by an earlier group does not count as absent.
        found = None
        for index, test in enumerate(self._tests):
            if (found is None or self._listed[index] is not None) and test(server) and found is None:
                found = index
        return found


def _test(group: GroupSpec, entries: ListedServers | None, context: JsonMapping) -> Callable[[Server], object]:
    """Whether a server is in a group."""
    if entries is not None:
        return entries.has
    if group.select is None:
        return lambda _: False
    expression = server_expression(group.select, context, is_condition=True)
    return PerLabels(expression, expression.value)


def split_group(
    group: GroupSpec,
    members: ServerColumns,
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
        return [SelectedGroup(group.name, group, members[:0])]
    named = [SelectedGroup(part_name(group, value, groups), group, part, value) for value, part in parts.items()]
    doubles = [name for name, count in Counter(part.name for part in named).items() if count > 1]
    problems += [_at(group.split_by, f"several parts would be called {name!r}") for name in doubles]
    return named


def _by_value(
    split_by: Template, members: ServerColumns, context: JsonMapping, problems: list[Problem]
) -> tuple[dict[str, ServerColumns], ServerColumns]:
    """The servers by the text of what they are split by, and those for which it gives none."""
    expression = server_expression(split_by, context)

    def text(server: Server) -> str:
        value = expression.value(server)
        try:
            return "" if value is None else text_of(value)
        except NotRendered as error:
            raise TemplateProblem(_at(split_by, f"for server {server.id}: {error.message}", error.hint)) from error

    value_of = PerLabels(expression, text)
    try:
        values = value_of.of(members)
    except TemplateProblem as error:
        problems.append(error.problem)
        values = list(_until_it_fails(value_of, members))
    parts = {value: members.take(indices) for value, indices in indices_by(values).items()}
    lacking = parts.pop("", members[:0])
    return parts, lacking


def _until_it_fails(value_of: Callable[[Server], str], members: Iterable[Server]) -> Iterator[str]:
    for server in members:
        try:
            yield value_of(server)
        except TemplateProblem:
            return


def _at(template: Template, message: str, hint: str = "") -> Problem:
    place = template.place
    return Problem(message, place.file, place.line, place.column, place.path, hint)
