"""Labels that a plan is asked to look at, held against those that there are.

A label that no server has is a mistake, wherever it is named: what is left of a limit by a label that is mistyped is no
limit. A label that only some servers lack is told of, with what became of these.
"""

from __future__ import annotations

from collections import Counter
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from runner.errors import Problem
from runner.spec.expressions import ServerExpression
from runner.spec.suggest import did_you_mean
from runner.spec.templates import TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from runner.model import Server
    from runner.spec.campaign import Campaign, Template

_SELECT, _SPLIT, _LIMIT, _ROLLOUT = "select", "split_by", "--limit", "rollout"
_LABELS = itemgetter(2)


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


class ServerCounts(NamedTuple):
    """The servers of a plan as it is made: all, those that --limit takes, and those planned of each group by its spec."""

    servers: Sequence[Server]
    limited: Sequence[Server]
    members: Mapping[str, Sequence[Sequence[Server]]]


def names_of(campaign: Campaign, limit: Template | None) -> list[LabelName]:
    """Every label that the expressions of a campaign, and `--limit`, name.

    Raises:
        TemplateProblem: `limit` is no expression.
    """
    found: list[LabelName] = []
    for group in campaign.groups:
        if group.select is not None:
            found += _named(group.select, _SELECT, group.name)
        if group.split_by is not None:
            found += _named(group.split_by, _SPLIT, group.name)
    if campaign.rollout is not None:
        for rule in campaign.rollout.budget.per:
            fate = "no limit" if rule.most is not None else "nothing that goes together"
            found += _named(rule.expression, _ROLLOUT, fate=f"have {fate} by {rule.expression.source}")
        for stratum in campaign.rollout.strata or ():
            found += _named(stratum, _ROLLOUT, fate=f"count as alike in the stratum {stratum.source}")
    if limit is not None:
        found += _named(limit, _LIMIT)
    return found


def _named(template: Template, kind: str, group: str = "", fate: str = "") -> list[LabelName]:
    use = ServerExpression(template, is_condition=kind in {_SELECT, _LIMIT}).use
    return [LabelName(label, kind, template, group, fate) for label in sorted(use.named - use.missed)]


def unknown_labels(names: Iterable[LabelName], different: Collection[Mapping[str, str]]) -> Iterator[Problem]:
    """A problem for each label that no server has. `different` are the different labels of servers, each once at least."""
    known: set[str] = set().union(*different)
    for name in names:
        if name.label not in known:
            place = name.template.place
            hint = did_you_mean(name.label, known) if known else "the servers have no labels, only ids and names"
            hint += f'\n  `labels["{name.label}"] is defined` asks for a label that may be missing'
            message = f"no server has a label `{name.label}`"
            yield Problem(message, place.file, place.line, place.column, place.path, hint)


def lacking_labels(
    names: Sequence[LabelName], different: Collection[Mapping[str, str]], counts: ServerCounts
) -> Iterator[str]:
    """For each label that some servers lack: how many, and what became of them."""
    lacking = {name.label: {id(labels) for labels in different if name.label not in labels} for name in names}
    if not any(lacking.values()):
        return
    sizes = Counter(map(id, map(_LABELS, counts.servers)))
    for label, without in lacking.items():
        if total := sum(sizes[labels] for labels in without):
            fates = dict.fromkeys(
                fate for name in names if name.label == label for fate in _fate(name, without, counts)
            )
            lack = "lacks" if total == 1 else "lack"
            what = f": {'; '.join(fates)}" if fates else ""
            yield f"{total:,} of {len(counts.servers):,} servers {lack} the label `{label}`{what}"


def _fate(name: LabelName, without: set[int], counts: ServerCounts) -> Iterator[str]:
    if name.kind == _SELECT and name.group in counts.members:
        yield f"{_words(counts.members[name.group], without)} in group `{name.group}`"
    elif name.kind == _LIMIT:
        yield f"{_words([counts.limited], without)} taken by --limit"
    elif name.kind == _ROLLOUT:
        found = _count((part for parts in counts.members.values() for part in parts), without)
        if found:
            yield f"{found:,} of those planned {name.fate}"


def _words(parts: Iterable[Sequence[Server]], without: set[int]) -> str:
    found = _count(parts, without)
    return {0: "none is", 1: "1 is"}.get(found, f"{found:,} are")


def _count(parts: Iterable[Sequence[Server]], without: set[int]) -> int:
    return sum(id(server.labels) in without for part in parts for server in part)


def misused_labels(campaign: Campaign, planned: Iterable[Sequence[Server]]) -> Iterator[Problem]:
    """What is wrong with the values that limits and strata get of the planned servers: one problem an expression."""
    if campaign.rollout is None:
        return
    expressions = [rule.expression for rule in campaign.rollout.budget.per] + list(campaign.rollout.strata or ())
    alike = [{id(server.labels): server for server in part}.values() for part in planned] if expressions else []
    for template in expressions:
        expression = ServerExpression(template)
        try:
            for part in alike if expression.uses_only_labels else planned:
                for server in part:
                    expression.value(server)
        except TemplateProblem as error:
            yield error.problem
