"""Which servers go in which wave, in which order: the entries of `rollout.waves` over the groups of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from runner.errors import Problem
from runner.plan.rollout.ordering import StrataError, Unit, shuffled, stratified, units_of
from runner.plan.rollout.sizing import SizesError, cut
from runner.spec.expressions import ServerExpression, text_getter
from runner.spec.rollout.sizes import Adaptive
from runner.spec.suggest import did_you_mean
from runner.spec.templates import TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.model import Server
    from runner.spec.campaign import Place, Template
    from runner.spec.rollout.model import RolloutSpec, WaveSpec

_SHOWN = 3


class GroupServers(NamedTuple):
    """A group to be put in waves: its name, that of the jobspec's group it is a part of, its servers."""

    name: str
    spec_name: str
    servers: Sequence[Server]


class WaveSlice(NamedTuple):
    """The servers of one group that go in one wave, in units that are never parted."""

    wave: int
    units: list[list[Server]]

    @property
    def servers(self) -> list[Server]:
        """All of them."""
        return [server for unit in self.units for server in unit]


@dataclass(frozen=True, slots=True)
class NamedWave:
    """A wave with its name and what its entry says of it. `servers` counts those of all groups."""

    name: str
    entry: WaveSpec
    servers: int

    @property
    def growth(self) -> float | None:
        """How fast its size follows the evidence; None if it does not."""
        return self.entry.sizes.growth if isinstance(self.entry.sizes, Adaptive) else None


@dataclass(frozen=True, slots=True)
class WavePlan:
    """The waves in order, and for each group its part of each wave that it is in."""

    waves: list[NamedWave]
    slices: list[list[WaveSlice]]


def make_waves(
    spec: RolloutSpec, groups: Sequence[GroupServers], known: Sequence[str], problems: list[Problem]
) -> WavePlan:
    """Put every server of the groups in exactly one wave. What is wrong goes to `problems`.

    `known` are the names of all groups of the jobspec, and of parts of them: one that has no server here may still be
    named.
    """
    plan = WavePlan([], [[] for _ in groups])
    claimed: dict[int, WaveSpec] = {}
    for entry in spec.waves:
        members = _claim(spec, entry, groups, known, claimed, problems)
        for part in _parts(spec, entry, [(index, groups[index].servers) for index in members], problems):
            part.add_to(plan)
    unclaimed = [group.name for index, group in enumerate(groups) if index not in claimed]
    if unclaimed and not problems:  # where a wave names no group, that may be the one
        message = f"group `{unclaimed[0]}` is in no wave" + (
            f", nor are {len(unclaimed) - 1} more" * (len(unclaimed) > 1)
        )
        problems.append(_at(spec.place, message, "name it in an entry of waves, or add an entry without `groups`"))
    if not problems:
        problems += _parted(spec, groups)
        problems += _named_alike(plan)
    return plan


def _claim(
    spec: RolloutSpec,
    entry: WaveSpec,
    groups: Sequence[GroupServers],
    known: Sequence[str],
    claimed: dict[int, WaveSpec],
    problems: list[Problem],
) -> list[int]:
    """The places of the groups that an entry means."""
    if entry.groups is None:
        others = {name for wave in spec.waves for name in wave.groups or ()}
        found = [index for index, group in enumerate(groups) if not others & {group.name, group.spec_name}]
        claimed.update(dict.fromkeys(found, entry))
        return found
    found = []
    for name in entry.groups:
        members = [index for index, group in enumerate(groups) if name in {group.name, group.spec_name}]
        if not members and name not in known:
            names = sorted({*known, *(group.name for group in groups)})
            problems.append(_at(entry.place, f"wave `{entry.name}`: no such group `{name}`", did_you_mean(name, names)))
        for index in members:
            if index in claimed:
                before = claimed[index].name
                message = f"group `{groups[index].name}` is in wave `{before}` already, and in `{entry.name}`"
                problems.append(_at(entry.place, message))
            else:
                claimed[index] = entry
                found.append(index)
    return found


@dataclass(frozen=True, slots=True)
class _Part:
    """One wave of an entry: units of servers, each with the place of its group."""

    name: str
    entry: WaveSpec
    units: list[tuple[int, list[Server]]]

    def add_to(self, plan: WavePlan) -> None:
        wave = len(plan.waves)
        plan.waves.append(NamedWave(self.name, self.entry, sum(len(servers) for _, servers in self.units)))
        by_group: dict[int, list[list[Server]]] = {}
        for group, servers in self.units:
            by_group.setdefault(group, []).append(servers)
        for group, units in by_group.items():
            plan.slices[group].append(WaveSlice(wave, units))


def _parts(
    spec: RolloutSpec, entry: WaveSpec, members: list[tuple[int, Sequence[Server]]], problems: list[Problem]
) -> Iterator[_Part]:
    group_of = [group for group, servers in members for _ in servers]
    servers = [server for _, part in members for server in part]
    if not servers:
        return
    try:
        units = _ordered(spec, servers)
        waves = [units] if isinstance(entry.sizes, Adaptive) else cut(units, entry.sizes)
    except TemplateProblem as error:
        problems.append(error.problem)
        return
    except (StrataError, SizesError) as error:
        problems.append(_at(entry.place, f"wave `{entry.name}`: {error}"))
        return
    for number, wave in enumerate(waves, 1):
        placed = [(group_of[unit[0]], [servers[place] for place in unit]) for unit in wave]
        yield _Part(entry.name if len(waves) == 1 else f"{entry.name}-{number}", entry, placed)


def _parted(spec: RolloutSpec, groups: Sequence[GroupServers]) -> Iterator[Problem]:
    """Units with servers of several groups: no request can hold them, and they may be in several waves."""
    whole = _whole(spec)
    if not whole or len(groups) < 2:  # noqa: PLR2004  one group parts nothing
        return
    servers = [server for group in groups for server in group.servers]
    group_of = [index for index, group in enumerate(groups) for _ in group.servers]
    units = units_of([_values(spec, expression, servers) for expression in whole], len(servers))
    parted = [unit for unit in units if len({group_of[place] for place in unit}) > 1]
    if parted:
        names = ", ".join(servers[place].name for place in parted[0][:_SHOWN])
        message = f"servers that must go together are in several groups, such as {names}"
        yield _at(spec.place, message, "select them in one group, or do not ask for `whole`")


def _named_alike(plan: WavePlan) -> Iterator[Problem]:
    """Waves are approved by name, and limits of waves are told apart by it."""
    seen: set[str] = set()
    for wave in plan.waves:
        if wave.name in seen:
            message = f"a second wave called `{wave.name}`; an entry with several sizes numbers its waves"
            yield _at(wave.entry.place, message, "rename one of the entries")
        seen.add(wave.name)


def _whole(spec: RolloutSpec) -> list[Template]:
    return [limit.expression for limit in spec.budget.per if limit.most is None]


def _ordered(spec: RolloutSpec, servers: Sequence[Server]) -> list[Unit]:
    units = units_of([_values(spec, expression, servers) for expression in _whole(spec)], len(servers))
    if spec.order == "listed":
        return units
    if spec.order == "shuffled":
        return shuffled(units, [server.id for server in servers], spec.seed)
    strata = spec.strata
    if strata is not None:
        return stratified(units, [_values(spec, expression, servers) for expression in strata])
    domains = [limit.expression for limit in spec.budget.per if limit.most is not None]
    try:
        return stratified(units, [_values(spec, expression, servers) for expression in domains])
    except StrataError:
        return units  # nobody asked for these strata by name


def _values(spec: RolloutSpec, expression: Template, servers: Sequence[Server]) -> list[str | None]:
    """Values as text, as the limits know them: an expression may give what cannot be a key, such as a list."""
    value_of = text_getter(ServerExpression(expression, spec.variables))
    return [value_of(server) for server in servers]


def _at(place: Place, message: str, hint: str = "") -> Problem:
    return Problem(message, place.file, place.line, place.column, place.path, hint)
