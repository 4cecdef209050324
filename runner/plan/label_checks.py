"""Labels that a plan is asked to look at, held against those that there are.

A label that no server has is a mistake, wherever it is named: what is left of a limit by a label that is mistyped is no
limit. A label that only some servers lack is told of, with what became of these.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from runner.errors import Problem
from runner.plan.variables import server_expression
from runner.spec.expressions import label_use_of
from runner.spec.per_labels import PerLabels
from runner.spec.suggest import did_you_mean
from runner.spec.templates import TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from runner.model import JsonMapping
    from runner.plan.grouping import SelectedGroup
    from runner.servers import ServerColumns
    from runner.spec.campaign import Campaign, Template

_SELECT, _SPLIT, _LIMIT, _ROLLOUT = "select", "split_by", "--limit", "rollout"


class LabelName(NamedTuple):
    """A label that an expression names without asking whether it is there.

    `kind` says what the expression is for, `group` for which group it is; `fate` is what becomes of planned servers that
    lack the label, where it is for the rollout.
    """

    label: str
    kind: str
    template: Template
    group: str = ""
    fate: str = ""


class Contexts(NamedTuple):
    """What expressions see beside a server: those of each group, and those of the rollout."""

    of_groups: Sequence[JsonMapping]
    of_rollout: JsonMapping


class LabelChecks:
    """The labels that a campaign and `--limit` name, and the servers of an inventory.

    `contexts` are what the expressions see beside a server: a variable may name a label.
    """

    def __init__(
        self,
        campaign: Campaign,
        limit: Template | None,
        servers: ServerColumns,
        contexts: Contexts,
    ) -> None:
        self._names = _names_of(campaign, limit, contexts)
        self._servers = servers

    def unknown(self) -> Iterator[Problem]:
        """A problem for each label that no server has."""
        known = self._servers.label_names()
        for name in self._names if self._servers else ():
            if name.label not in known:
                yield _unknown(name, known)

    def lacking(self, limited: ServerColumns, selected: Iterable[SelectedGroup]) -> Iterator[str]:
        """For each label that some servers lack: how many, and what became of them.

        `limited` are the servers that --limit takes, `selected` the groups with those that are planned.
        """
        without = {name: self._lacking(name) for name in dict.fromkeys(name.label for name in self._names)}
        if not any(without.values()):
            return
        members: dict[str, list[ServerColumns]] = {}
        for group in selected:
            members.setdefault(group.spec.name, []).append(group.servers)
        sizes = Counter(self._servers.places)
        for label, places in without.items():
            if total := sum(sizes[place] for place in places):
                names = [name for name in self._names if name.label == label]
                fates = dict.fromkeys(fate for name in names for fate in _fate(name, places, limited, members))
                lack = "lacks" if total == 1 else "lack"
                what = f": {'; '.join(fates)}" if fates else ""
                yield f"{total:,} of {len(self._servers):,} servers {lack} the label `{label}`{what}"

    def _lacking(self, label: str) -> set[int]:
        """The places of labels without this one."""
        column = self._servers.label(label)
        return {place for place, text in enumerate(column) if text is None} if None in column else set()


def _names_of(campaign: Campaign, limit: Template | None, contexts: Contexts) -> list[LabelName]:
    """Every label that the expressions of a campaign, and `--limit`, name."""
    found: list[LabelName] = []
    for group, seen in zip(campaign.groups, contexts.of_groups, strict=True):
        if group.select is not None:
            found += _named(group.select, _SELECT, seen, group.name)
        if group.split_by is not None:
            found += _named(group.split_by, _SPLIT, seen, group.name)
    if campaign.rollout is not None:
        for rule in campaign.rollout.budget.per:
            fate = "no limit" if rule.most is not None else "nothing that goes together"
            found += _named(
                rule.expression, _ROLLOUT, contexts.of_rollout, fate=f"have {fate} by {rule.expression.source}"
            )
        for stratum in campaign.rollout.strata or ():
            found += _named(
                stratum, _ROLLOUT, contexts.of_rollout, fate=f"count as alike in the stratum {stratum.source}"
            )
    if limit is not None:
        found += _named(limit, _LIMIT, {})
    return found


def _named(template: Template, kind: str, context: JsonMapping, group: str = "", fate: str = "") -> list[LabelName]:
    use = label_use_of(template, is_condition=kind in {_SELECT, _LIMIT})
    variables = context["vars"].values if use.by_variable else {}
    by_variable = {value for name in use.by_variable if isinstance(value := variables.get(name), str)}
    return [LabelName(label, kind, template, group, fate) for label in sorted((use.named - use.missed) | by_variable)]


def _unknown(name: LabelName, known: Collection[str]) -> Problem:
    place = name.template.place
    hint = did_you_mean(name.label, known) if known else "the servers have no labels, only ids and names"
    hint += f'\n  `labels["{name.label}"] is defined` asks for a label that may be missing'
    return Problem(f"no server has a label `{name.label}`", place.file, place.line, place.column, place.path, hint)


def unknown_labels(template: Template, servers: ServerColumns, *, is_condition: bool) -> Iterator[Problem]:
    """The labels that an expression names and no server has."""
    known = servers.label_names()
    named = _named(template, _SELECT if is_condition else _SPLIT, {})
    yield from (_unknown(name, known) for name in named if name.label not in known)


def _fate(
    name: LabelName, without: set[int], limited: ServerColumns, members: Mapping[str, Sequence[ServerColumns]]
) -> Iterator[str]:
    """What became of the servers that lack the label."""
    if name.kind == _SELECT and name.group in members:
        yield f"{_words(members[name.group], without)} in group `{name.group}`"
    elif name.kind == _LIMIT:
        yield f"{_words([limited], without)} taken by --limit"
    elif name.kind == _ROLLOUT:
        found = _count((part for parts in members.values() for part in parts), without)
        if found:
            yield f"{found:,} of those planned {name.fate}"


def _words(parts: Iterable[ServerColumns], without: set[int]) -> str:
    found = _count(parts, without)
    return {0: "none is", 1: "1 is"}.get(found, f"{found:,} are")


def _count(parts: Iterable[ServerColumns], without: set[int]) -> int:
    return sum(place in without for part in parts for place in part.places)


def misused_labels(campaign: Campaign, planned: Collection[ServerColumns], context: JsonMapping) -> Iterator[Problem]:
    """What is wrong with the values that limits and strata get of the planned servers: one problem an expression.

    `context` is what these see beside a server.
    """
    if campaign.rollout is None:
        return
    expressions = [rule.expression for rule in campaign.rollout.budget.per] + list(campaign.rollout.strata or ())
    for template in expressions:
        expression = server_expression(template, context)
        try:
            # The text of one label is what it is, for whichever server.
            for part in planned if expression.label is None else ():
                PerLabels(expression, expression.value).of(part)
        except TemplateProblem as error:
            yield error.problem
