"""Servers into groups: a server belongs to the first group that selects it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, TypeVar

from runner.errors import Problem
from runner.plan.listing import ListedServers
from runner.plan.part_names import part_name
from runner.plan.variables import server_expression
from runner.servers import indices_by
from runner.spec.per_labels import LooksAt, PerLabels, at_all_of
from runner.spec.ranges import RangeError, expand_ranges
from runner.spec.templates import TemplateProblem, render_text
from runner.spec.texts import NotRendered, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from runner.model import JsonMapping, Server
    from runner.servers import ServerColumns
    from runner.spec.campaign import GroupSpec, Template


_T = TypeVar("_T")


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
    chooser = _Chooser(groups, listed, contexts)
    try:
        found = indices_by(chooser.parts(servers))
    except TemplateProblem as error:
        problems.append(error.problem)
        return []
    by_text: list[dict[str | None, list[int]]] = [{} for _ in groups]
    for (number, text), indices in found.items():
        if number is not None:
            by_text[number][text] = indices
    selected: list[SelectedGroup] = []
    for group, indices_of, entries, splitter in zip(groups, by_text, listed, chooser.splitters, strict=True):
        if entries is not None:
            for server in left_out:
                entries.has(server)
            problems += entries.problems()
        if splitter is None:
            selected.append(SelectedGroup(group.name, group, servers.take(indices_of.get("", ()))))
        else:
            selected += _parts(group, servers, indices_of, splitter, groups, problems)
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
    """Gives the index of each server's group, and the text by which that one is split."""

    def __init__(
        self,
        groups: Sequence[GroupSpec],
        listed: Sequence[ListedServers | None],
        contexts: Sequence[JsonMapping],
    ) -> None:
        self._listed = listed
        self._tests = [_test(*of_group) for of_group in zip(groups, listed, contexts, strict=True)]
        self.splitters = [_splitter(group, context) for group, context in zip(groups, contexts, strict=True)]

    def numbers(self, servers: ServerColumns) -> list[int | None]:
        """For each server the index of its group; None for one that is in none.

        Raises:
            TemplateProblem: for the first server that cannot be looked at.
        """
        return self._of(servers, self._first, ())

    def parts(self, servers: ServerColumns) -> list[tuple[int | None, str | None]]:
        """For each server the index of its group, and the text by which that one is split (`_Splitter.text`).

        Raises:
            TemplateProblem: for the first server that cannot be looked at to find its group.
        """
        return self._of(
            servers, self._part, [splitter.text.looks_at for splitter in self.splitters if splitter is not None]
        )

    def _of(self, servers: ServerColumns, function: Callable[[Server], _T], also: Iterable[LooksAt]) -> list[_T]:
        looks = [test.looks_at for test in self._tests if isinstance(test, PerLabels)]
        if len(looks) < len(self._tests):
            return list(map(function, servers))
        return PerLabels(at_all_of([*looks, *also]), function).of(servers)

    def _part(self, server: Server) -> tuple[int | None, str | None]:
        number = self._first(server)
        splitter = None if number is None else self.splitters[number]
        return number, "" if splitter is None else splitter.text(server)

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


class _Splitter:
    """Gives the text by which a server's group is split."""

    def __init__(self, split_by: Template, context: JsonMapping) -> None:
        self.template = split_by
        self._expression = server_expression(split_by, context)
        self.text = PerLabels(self._expression, self._text_if_told)
        """The text for a server, empty where it has none; None where it cannot be told."""

    def _text_if_told(self, server: Server) -> str | None:
        try:
            return self.told(server)
        except TemplateProblem:
            return None

    def told(self, server: Server) -> str:
        """The text.

        Raises:
            TemplateProblem: it cannot be told.
        """
        value = self._expression.value(server)
        try:
            return "" if value is None else text_of(value)
        except NotRendered as error:
            raise TemplateProblem(_at(self.template, f"for server {server.id}: {error.message}", error.hint)) from error


def _splitter(group: GroupSpec, context: JsonMapping) -> _Splitter | None:
    return None if group.split_by is None else _Splitter(group.split_by, context)


def split_group(
    group: GroupSpec, members: ServerColumns, context: JsonMapping, groups: Sequence[GroupSpec]
) -> list[SelectedGroup]:
    """The parts of a group by the values of its `split_by`, or else the group itself, as far as nothing is wrong.

    `context` is what the group's templates see. `groups` are all of the jobspec, for a part must not be called as another.
    """
    splitter = _splitter(group, context)
    if splitter is None:
        return [SelectedGroup(group.name, group, members)]
    indices_of = indices_by(splitter.text.of(members))
    return _parts(group, members, indices_of, splitter, groups, [])


def _parts(
    group: GroupSpec,
    servers: ServerColumns,
    indices_of: Mapping[str | None, Sequence[int]],
    splitter: _Splitter,
    groups: Sequence[GroupSpec],
    problems: list[Problem],
) -> list[SelectedGroup]:
    """The parts by the text that the group is split by; what is wrong goes to `problems`."""
    indices_of = _told(servers, indices_of, splitter, problems)
    lacking = indices_of.get("", ())
    if lacking:
        first = servers[lacking[0]].id
        message = f"{len(lacking):,} servers of group `{group.name}` have no value to split by, such as {first}"
        problems.append(_at(splitter.template, message, "select only servers that have it"))
    named = [
        SelectedGroup(part_name(group, text, groups), group, servers.take(indices), text)
        for text, indices in indices_of.items()
        if text
    ]
    doubles = [name for name, count in Counter(part.name for part in named).items() if count > 1]
    problems += [_at(splitter.template, f"several parts would be called {name!r}") for name in doubles]
    return named or [SelectedGroup(group.name, group, servers.take(()))]


def _told(
    servers: ServerColumns,
    indices_of: Mapping[str | None, Sequence[int]],
    splitter: _Splitter,
    problems: list[Problem],
) -> Mapping[str | None, Sequence[int]]:
    """The servers before the first one of which it cannot be told, which is a problem."""
    if None not in indices_of:
        return indices_of
    first = indices_of[None][0]
    try:
        splitter.told(servers[first])
    except TemplateProblem as error:
        problems.append(error.problem)
    before = {text: [index for index in indices if index < first] for text, indices in indices_of.items()}
    return {text: indices for text, indices in before.items() if indices}


def _at(template: Template, message: str, hint: str = "") -> Problem:
    place = template.place
    return Problem(message, place.file, place.line, place.column, place.path, hint)
