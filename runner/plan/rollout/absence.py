"""Waves of a jobspec that have no server in a plan, and why: a label mistyped, `--limit`, `--group`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.errors import Problem
from runner.plan.grouping import matching, split_group
from runner.spec.templates import TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from runner.model import JsonMapping, Server
    from runner.servers import ServerColumns
    from runner.spec.campaign import GroupSpec
    from runner.spec.rollout.model import RolloutSpec, WaveSpec

_SHOWN = 3
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Absence:
    """Looks at a whole inventory for what became of the servers that a group would have.

    `asked_for` says whether --group names the group, or the part of one, with this name; `is_allowed` is --limit.
    """

    groups: Sequence[GroupSpec]
    contexts: Sequence[JsonMapping]
    inventory: ServerColumns
    asked_for: Callable[[GroupSpec, str], bool]
    is_allowed: Callable[[Server], object]

    def parts(self) -> list[str]:
        """The names of all parts of groups that are split."""
        try:
            return [name for place, group in enumerate(self.groups) if group.split_by for name in self._parts(place)]
        except TemplateProblem:  # an expression need not hold for servers that nobody asked for
            return []

    def reason(self, name: str) -> str:
        """Why the group, or part of one, with this name has no server."""
        place = self._place_of(name)
        group = self.groups[place]
        if not self.asked_for(group, name):
            return f"group `{name}` is left out by --group"
        try:
            own, before = matching(self.groups, place, self.inventory, self.contexts)
            if name != group.name:
                own, before = self._parts(place).get(name, self.inventory[:0]), 0
            left_out = sum(not self.is_allowed(server) for server in own)
        except TemplateProblem:
            return f"group `{name}` has none here"
        where = [f"{before:,} in groups before it"] if before else []
        where += [f"{left_out:,} left out by --limit"] if left_out else []
        found = f"{len(own) + before:,}" if own or before else "none"
        text = f"group `{name}` ({_selector(group)}) selects {found} of {len(self.inventory):,} servers"
        return f"{text}: {', '.join(where)}" if where else text

    def _place_of(self, name: str) -> int:
        names = [group.name for group in self.groups]
        if name in names:
            return names.index(name)
        return next(place for place, group in enumerate(self.groups) if group.split_by and name in self._parts(place))

    def _parts(self, place: int) -> dict[str, ServerColumns]:
        own, _ = matching(self.groups, place, self.inventory, self.contexts)
        return {
            part.name: part.servers
            for part in split_group(self.groups[place], own, self.contexts[place], self.groups)
            if part.servers
        }


def empty_waves(spec: RolloutSpec, names: Collection[tuple[str, str]], absence: Absence) -> Iterator[Problem]:
    """The entries of `waves` without servers. `names` are those of the groups that have some, each with its jobspec's."""
    for entry in spec.waves:
        if not entry.is_written:
            continue
        meant = _groups_of(spec, entry, absence)
        if meant is None or any(own in meant or part in meant for part, own in names):
            continue
        reasons = [absence.reason(name) for name in meant[:_SHOWN]] or ["every group is in another wave"]
        more = f"; and {len(meant) - _SHOWN:,} more groups" if len(meant) > _SHOWN else ""
        place, message = entry.place, f"wave `{entry.name}` has no server: {'; '.join(reasons)}{more}"
        hint = "correct the group, take the wave out, or leave it out with --allow-empty-wave"
        yield Problem(message, place.file, place.line, place.column, place.path, hint)


def _groups_of(spec: RolloutSpec, entry: WaveSpec, absence: Absence) -> Sequence[str] | None:
    """The names of the groups that an entry means; None where one is unknown, which is said elsewhere."""
    known = [group.name for group in absence.groups]
    if entry.groups is None:
        others = {name for wave in spec.waves for name in wave.groups or ()}
        return [name for name in known if name not in others]
    unknown = [name for name in entry.groups if name not in known]
    return None if unknown and not set(unknown) <= set(absence.parts()) else entry.groups


def _selector(group: GroupSpec) -> str:
    """How a group selects, in one short line."""
    texts = [str(entry.source) for entry in group.servers or ()]
    text = " ".join((str(group.select.source) if group.select is not None else ", ".join(texts)).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
