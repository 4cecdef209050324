"""Which servers go in which wave, in which order: the entries of `rollout.waves` over the groups of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING, NamedTuple

from runner.errors import Problem
from runner.plan.rollout.ordering import StrataError, shuffled, stratified, units_of
from runner.plan.rollout.sizing import SizesError, cut
from runner.servers import indices_by
from runner.spec.expressions import ServerExpression, text_getter
from runner.spec.rollout.sizes import Adaptive
from runner.spec.suggest import did_you_mean
from runner.spec.templates import TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.servers import ServerColumns
    from runner.spec.campaign import Place, Template
    from runner.spec.rollout.model import RolloutSpec, WaveSpec

_SHOWN = 3


class GroupServers(NamedTuple):
    """A group to be put in waves: its name, that of the jobspec's group it is a part of, its servers."""

    name: str
    spec_name: str
    servers: ServerColumns


class WaveSlice(NamedTuple):
    """The servers of one group that go in one wave; `lengths` says how many of them each unit has that is never parted."""

    wave: int
    servers: ServerColumns
    lengths: Sequence[int]


class _Units(NamedTuple):
    """Units in their order: the indices of their servers, unit after unit, and how many each unit has."""

    places: Sequence[int]
    lengths: list[int]


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
        _add_waves(spec, entry, [(index, groups[index].servers) for index in members], plan, problems)
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


def _add_waves(
    spec: RolloutSpec,
    entry: WaveSpec,
    members: Sequence[tuple[int, ServerColumns]],
    plan: WavePlan,
    problems: list[Problem],
) -> None:
    """Add the waves of an entry, whose groups are `members`, by their indices."""
    if not members:
        return
    (_, first), *others = members
    servers = first.then([part for _, part in others])
    try:
        units = _ordered(spec, servers)
        waves = cut(units.lengths, entry.sizes)
    except TemplateProblem as error:
        problems.append(error.problem)
        return
    except (StrataError, SizesError) as error:
        problems.append(_at(entry.place, f"wave `{entry.name}`: {error}"))
        return
    group_of = list(chain.from_iterable(repeat(group, len(part)) for group, part in members))
    for number, wave in enumerate(waves, 1):
        of_wave = _Units(units.places[wave.servers], units.lengths[wave.units])
        for group, (places, lengths) in _by_group(of_wave, group_of).items():
            plan.slices[group].append(WaveSlice(len(plan.waves), servers.take(places), lengths))
        name = entry.name if len(waves) == 1 else f"{entry.name}-{number}"
        plan.waves.append(NamedWave(name, entry, len(of_wave.places)))


def _by_group(units: _Units, group_of: Sequence[int]) -> dict[int, _Units]:
    """The units by the group of their first server."""
    places, lengths = units
    if len(places) == len(lengths):  # each is one server, as mostly
        found = indices_by(map(group_of.__getitem__, places))
        return {g: _Units(list(map(places.__getitem__, some)), [1] * len(some)) for g, some in found.items()}
    units_in: dict[int, list[Sequence[int]]] = {}
    start = 0
    for length in lengths:
        unit = places[start : start + length]
        units_in.setdefault(group_of[unit[0]], []).append(unit)
        start += length
    return {g: _Units(list(chain.from_iterable(some)), list(map(len, some))) for g, some in units_in.items()}


def _parted(spec: RolloutSpec, groups: Sequence[GroupServers]) -> Iterator[Problem]:
    """Units with servers of several groups: no request can hold them, and they may be in several waves."""
    whole = _whole(spec)
    if not whole or len(groups) < 2:  # noqa: PLR2004  one group parts nothing
        return
    servers = groups[0].servers.then([group.servers for group in groups[1:]])
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


def _ordered(spec: RolloutSpec, servers: ServerColumns) -> _Units:
    whole = [_values(spec, expression, servers) for expression in _whole(spec)]
    if not whole:
        return _Units(_order(spec, servers), [1] * len(servers))
    units = units_of(whole, len(servers))
    in_order = [units[place] for place in _order(spec, servers.take([unit[0] for unit in units]))]
    return _Units(list(chain.from_iterable(in_order)), list(map(len, in_order)))


def _order(spec: RolloutSpec, servers: ServerColumns) -> Sequence[int]:
    """In which order the units come; `servers` has the first one of each."""
    count = len(servers)
    if spec.order == "listed":
        return range(count)
    if spec.order == "shuffled":
        return shuffled(servers.ids, spec.seed)
    if spec.strata is not None:
        return stratified([_values(spec, expression, servers) for expression in spec.strata], count)
    domains = [limit.expression for limit in spec.budget.per if limit.most is not None]
    try:
        return stratified([_values(spec, expression, servers) for expression in domains], count)
    except StrataError:
        return range(count)  # nobody asked for these strata by name


def _values(spec: RolloutSpec, expression: Template, servers: ServerColumns) -> list[str | None]:
    """Values as text, as the limits know them: an expression may give what cannot be a key, such as a list."""
    return text_getter(ServerExpression(expression, spec.variables)).of(servers)


def _at(place: Place, message: str, hint: str = "") -> Problem:
    return Problem(message, place.file, place.line, place.column, place.path, hint)
