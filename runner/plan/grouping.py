"""Servers into groups: a server belongs to the first group that selects it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.errors import Problem
from runner.plan.variables import server_expression
from runner.spec.expressions import ServerExpression, once_per_labels
from runner.spec.ranges import RangeError, expand_ranges
from runner.spec.rules import SERVER_ID
from runner.spec.suggest import did_you_mean
from runner.spec.templates import TemplateProblem, render_text
from runner.spec.texts import NotRendered, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runner.model import JsonMapping, Server
    from runner.spec.campaign import GroupSpec, Template

_NOT_IN_NAMES = re.compile(r"[^-_.a-zA-Z0-9]+")


@dataclass(frozen=True, slots=True)
class SelectedGroup:
    """A group and its servers, in the inventory's order. `name` differs from the spec's where the group was split."""

    name: str
    spec: GroupSpec
    servers: Sequence[Server]


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
        _refuse_absent(entries, left_out, problems)
        selected += split_group(group, members, context, problems)
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


class _Entries:
    """The servers that a group lists: by id or name, with where each was written, and which were seen."""

    def __init__(self, templates: dict[str, Template]) -> None:
        self.templates = templates
        self.seen: set[str] = set()

    def has(self, server: Server) -> bool:
        found = False
        for key in (server.id, server.name):
            if key in self.templates:
                self.seen.add(key)
                found = True
        return found


def _listed(group: GroupSpec, context: JsonMapping, problems: list[Problem]) -> _Entries | None:
    if group.servers is None:
        return None
    return _Entries(listed_names(group, context, problems))


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
    groups: Sequence[GroupSpec], listed: Sequence[_Entries | None], contexts: Sequence[JsonMapping]
) -> Callable[[Server], int | None]:
    """The function that gives a server's group. Where only labels matter, equal labels are looked at once."""
    tests: list[Callable[[Server], object]] = []
    by_labels_alone = True
    for group, entries, context in zip(groups, listed, contexts, strict=True):
        tests.append(_test(group, entries, context))
        if entries is not None:
            by_labels_alone = False
        elif group.select is not None:
            by_labels_alone = by_labels_alone and server_expression(group.select, context).uses_only_labels

    def first(server: Server) -> int | None:
        # Every list is asked, so that an entry taken by an earlier group does not count as absent.
        found = None
        for index, test in enumerate(tests):
            if (found is None or listed[index] is not None) and test(server) and found is None:
                found = index
        return found

    return once_per_labels(first) if by_labels_alone else first


def _test(group: GroupSpec, entries: _Entries | None, context: JsonMapping) -> Callable[[Server], object]:
    if entries is not None:
        return entries.has
    return server_expression(group.select, context).value if group.select is not None else lambda _: False


def _refuse_absent(entries: _Entries | None, left_out: Sequence[Server], problems: list[Problem]) -> None:
    if entries is None:
        return
    for server in left_out:
        entries.has(server)
    absent: dict[str, list[str]] = {}
    for name, template in entries.templates.items():
        if name not in entries.seen:
            absent.setdefault(template.place.path, []).append(name)
    for names in absent.values():
        template = entries.templates[names[0]]
        more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
        hint = did_you_mean(names[0], sorted(entries.seen)[:1000]) if entries.seen else "check the inventory"
        problems.append(_at(template, f"no server in the inventory has the id or name {names[0]!r}{more}", hint))


def split_group(
    group: GroupSpec, members: Sequence[Server], context: JsonMapping, problems: list[Problem]
) -> list[SelectedGroup]:
    """The parts of a group by the values of its `split_by`, or else the group itself. What is wrong goes to `problems`."""
    if group.split_by is None:
        return [SelectedGroup(group.name, group, members)]
    try:
        parts, lacking = _parts(server_expression(group.split_by, context), members)
    except TemplateProblem as error:
        problems.append(error.problem)
        return []
    except NotRendered as error:
        problems.append(_at(group.split_by, error.message, error.hint))
        return []
    if lacking:
        message = f"{len(lacking):,} servers of group `{group.name}` have no value to split by, such as {lacking[0]}"
        problems.append(_at(group.split_by, message, "select only servers that have it"))
    names = [f"{group.name}-{value}" for value in parts]
    problems += [
        _at(group.split_by, f"{name!r} is no valid group name") for name in names if not SERVER_ID.accepts(name)
    ]
    if not parts:
        return [SelectedGroup(group.name, group, ())]
    return [SelectedGroup(name, group, part) for name, part in zip(names, parts.values(), strict=True)]


def _parts(expression: ServerExpression, members: Sequence[Server]) -> tuple[dict[str, list[Server]], list[str]]:
    """The servers by what their values are called in names, and the ids of those that have no value.

    Raises:
        TemplateProblem: a server cannot be looked at.
        NotRendered: a value is nothing that can be called something.
    """

    def name_of(server: Server) -> str:
        value = expression.value(server)
        return "" if value is None else _NOT_IN_NAMES.sub("-", text_of(value))

    named = once_per_labels(name_of) if expression.uses_only_labels else name_of
    parts: dict[str, list[Server]] = {}
    lacking: list[str] = []
    for server in members:
        if name := named(server):
            parts.setdefault(name, []).append(server)
        else:
            lacking.append(server.id)
    return parts, lacking


def _at(template: Template, message: str, hint: str = "") -> Problem:
    place = template.place
    return Problem(message, place.file, place.line, place.column, place.path, hint)
