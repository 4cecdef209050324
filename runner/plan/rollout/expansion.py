"""A campaign with a rollout to a plan: waves made, requests cut so that they fit the limits, gates rendered."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import accumulate, chain, repeat
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from runner.plan.batching import Cap, batch_sizes
from runner.plan.bodies import BodyTemplate
from runner.plan.plan import PlannedGroup, PlannedRequest
from runner.plan.rollout.feasibility import infeasible
from runner.plan.rollout.limits import domain_limits, part_limits
from runner.plan.rollout.model import PlannedBudget, PlannedCheck, PlannedDomains, PlannedWave, Rollout
from runner.plan.rollout.waves import GroupServers, NamedWave, WavePlan, WaveSlice, make_waves
from runner.spec.expressions import ServerExpression
from runner.spec.names import Names
from runner.spec.numbers import plain_numbers, written_numbers
from runner.spec.rollout.checks import side_steps
from runner.spec.rollout.limits import Scope
from runner.spec.rollout.model import DEFAULT_EXPECTED_S
from runner.spec.templates import TemplateProblem, render_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.errors import Problem
    from runner.model import JsonMapping
    from runner.plan.bodies import Body
    from runner.plan.rollout.limits import DomainLimits
    from runner.servers import ServerColumns
    from runner.spec.campaign import Campaign, StepSpec
    from runner.spec.rollout.model import CheckSpec, DomainLimit, RolloutSpec


# Not PlannedRequest._make, which is Python: a call less per request of a third of a million.
_make_request = partial(tuple.__new__, PlannedRequest)


class ChosenGroup(NamedTuple):
    """A group that is part of the plan: `context` is what its templates see, `lane` an index."""

    name: str
    spec_name: str
    lane: int
    servers: ServerColumns
    context: JsonMapping


def ordered_steps(campaign: Campaign) -> list[StepSpec]:
    """The steps that every server goes through, then those that only the rollout asks for."""
    side = side_steps(campaign.rollout) if campaign.rollout else {}
    main = [step for step in campaign.steps if step.name not in side]
    return [*main, *(step for step in campaign.steps if step.name in side)]


class RolloutExpansion:
    """Makes groups, requests and rollout of a plan. What is wrong goes to `problems`.

    `parts` are names of parts of groups that may be named, also if they have no server here.
    """

    def __init__(
        self,
        campaign: Campaign,
        spec: RolloutSpec,
        chosen: Sequence[ChosenGroup],
        parts: Sequence[str],
        context: JsonMapping,
        problems: list[Problem],
    ) -> None:
        self._spec = replace(spec, variables=context["vars"].values)
        self._chosen = chosen
        self._context = context
        self._problems = problems
        self._steps = ordered_steps(campaign)
        self._main = len(campaign.steps) - len(side_steps(spec))
        self._known = [*(group.name for group in campaign.groups), *parts]
        self._budget = _planned_budget(self._spec)
        self._failure_bodies: list[Body] = []
        self._domains: list[DomainLimits] = []

    def plan(self, inventory: ServerColumns) -> tuple[list[PlannedGroup], list[PlannedRequest], Rollout | None]:
        """The groups, each with its servers in the order of its requests; the requests; the rollout.

        `inventory` are all servers there are: those that must go together may not be selected in part.
        """
        named = [GroupServers(group.name, group.spec_name, group.servers) for group in self._chosen]
        waves = make_waves(self._spec, named, self._known, self._problems)
        if self._problems:
            return [], [], None
        self._domains = domain_limits(self._budget, [group.servers for group in named])
        steps = self._steps[: self._main]
        self._problems += infeasible(self._spec, self._budget, self._domains, waves, named, inventory, steps)
        if self._problems:
            return [], [], None
        groups = [
            PlannedGroup(group.name, group.lane, parts[0].servers.then([part.servers for part in parts[1:]]))
            for group, parts in zip(self._chosen, waves.slices, strict=True)
        ]
        requests = [request for group in range(len(groups)) for request in self._requests(group, waves, groups)]
        requests.sort(key=attrgetter("wave"))  # within one they are in order: by group, step and start
        return groups, requests, self._rollout(waves)

    def _requests(self, group: int, waves: WavePlan, groups: Sequence[PlannedGroup]) -> list[PlannedRequest]:
        requests: list[PlannedRequest] = []
        chosen = self._chosen[group]
        caps = [
            [Cap(domain.value_of.of(part.servers), domain.most) for domain in self._domains]
            for part in waves.slices[group]
        ]
        for index, step in enumerate(self._steps):
            body = BodyTemplate(step)
            if step.name == self._spec.on_failure:
                self._failure_bodies.append(body.render(chosen.context, 1, 1, self._problems))
                continue
            sizes = [
                (part.wave, self._sizes(part, caps_of_part, group, index, waves, groups))
                for part, caps_of_part in zip(waves.slices[group], caps, strict=True)
            ]
            stops = list(accumulate(chain.from_iterable(wave_sizes for _, wave_sizes in sizes)))
            of_waves = chain.from_iterable(repeat(wave, len(wave_sizes)) for wave, wave_sizes in sizes)
            bodies = body.render_all(chosen.context, len(stops), self._problems)
            fields = zip(repeat(index), repeat(group), [0, *stops], stops, bodies, of_waves, strict=False)
            requests += map(_make_request, fields)
        return requests

    def _sizes(
        self,
        part: WaveSlice,
        caps: Sequence[Cap],
        group: int,
        step: int,
        waves: WavePlan,
        groups: Sequence[PlannedGroup],
    ) -> list[int]:
        most = self._steps[step].servers_per_job
        if step >= self._main:
            return batch_sizes(part.lengths, most, ())
        total = sum(len(planned.servers) for planned in groups)
        budget, servers = self._budget, waves.waves[part.wave].servers
        parts = {Scope.CAMPAIGN: total, Scope.WAVE: servers, Scope.GROUP: len(groups[group].servers)}
        limits = (limit for scope, size in parts.items() for limit in part_limits(budget, scope, [("", size)]))
        return batch_sizes(part.lengths, min([most, *(limit.most for (limit,) in limits)]), caps)

    def _rollout(self, waves: WavePlan) -> Rollout:
        spec = self._spec
        places = {step.name: index for index, step in enumerate(self._steps)}
        return Rollout(
            main_steps=self._main,
            waves=tuple(self._wave(wave, places) for wave in waves.waves),
            budget=self._budget,
            abort=spec.abort,
            on_breach=spec.on_breach,
            window=spec.window,
            deadline_s=spec.deadline_s,
            expected_s=tuple(step.expected_duration_s or DEFAULT_EXPECTED_S for step in self._steps),
            on_failure=None if spec.on_failure is None else places[spec.on_failure],
            failure_bodies=tuple(self._failure_bodies),
        )

    def _wave(self, wave: NamedWave, places: Mapping[str, int]) -> PlannedWave:
        context = {**self._context, "wave": Names("wave", {"name": wave.name})}
        return PlannedWave(
            name=wave.name,
            servers=wave.servers,
            soak_s=wave.entry.soak_s,
            approve=wave.entry.approve,
            growth=wave.growth,
            checks=tuple(self._check(check, context, places) for check in self._spec.checks),
        )

    def _check(self, check: CheckSpec, context: JsonMapping, places: Mapping[str, int]) -> PlannedCheck:
        command, url = check.command, check.url
        try:
            rendered = None if command is None else tuple(render_text(part, context) for part in command)
            address = None if url is None else render_text(url, context)
        except TemplateProblem as error:
            self._problems.append(error.problem)
            rendered = address = None
        step = None if check.step is None else places[check.step]
        return PlannedCheck(check.name, rendered, address, step, check.timeout_s, check.attempts, check.env)


def _planned_budget(spec: RolloutSpec) -> PlannedBudget:
    return PlannedBudget(spec.budget.limits, tuple(_planned_domains(limit, spec) for limit in spec.budget.per))


def _planned_domains(limit: DomainLimit, spec: RolloutSpec) -> PlannedDomains:
    used = ServerExpression(limit.expression, spec.variables).variables_used
    as_read = written_numbers(plain_numbers(used))  # as whoever reads the plan has them
    return PlannedDomains(str(limit.expression.source), limit.most, as_read)
