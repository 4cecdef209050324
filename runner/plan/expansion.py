"""A campaign and servers to a plan: select, split, batch, render, check, hash."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from runner.errors import InvalidInput, Problem
from runner.model import JsonMapping, JsonObject, Lane, Server
from runner.plan.bodies import BodyTemplate
from runner.plan.codec import hash_plan
from runner.plan.grouping import SelectedGroup, listed_names, select_groups
from runner.plan.hook_rendering import planned_hooks
from runner.plan.label_checks import Contexts, LabelChecks, misused_labels
from runner.plan.lanes import LaneTable
from runner.plan.limiting import ServerLimit
from runner.plan.plan import Plan, PlannedGroup, PlannedRequest, PlanSummary
from runner.plan.remarks import changed_names, overridden_variables
from runner.plan.rollout.absence import Absence, empty_waves
from runner.plan.rollout.expansion import ChosenGroup, RolloutExpansion, ordered_steps
from runner.plan.variables import as_written, base_context, context_with, expression_problems, resolve_variables
from runner.servers import ServerColumns, columns_of
from runner.spec.names import Names
from runner.spec.numbers import plain_numbers
from runner.spec.suggest import did_you_mean
from runner.spec.templates import TemplateProblem, render_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.plan.hooks import PlannedHook
    from runner.plan.rollout.model import Rollout
    from runner.spec.campaign import Campaign, GroupSpec, Template
    from runner.spec.rollout.model import RolloutSpec


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What a person gave beside the jobspec. `vars_file` and `variables` (from `-e`) are in order of precedence.

    Fields of `lane` that are not None replace those of every lane. `created_at` is epoch seconds, `run_date` its day.
    An entry of `rollout.waves` without servers is an error, or with `allow_empty_waves` a warning. `limit` is an expression;
    `limit_list` are ids and names instead. `warnings` are for the plan. A variable that is None was given empty, and is
    undefined.
    """

    env: Mapping[str, str]
    run_date: str
    created_at: float
    runner_version: str
    inventory_fingerprint: str
    variables: Mapping[str, object] = field(default_factory=dict)
    vars_file: Mapping[str, object] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    limit: str | None = None
    limit_list: Mapping[str, Template] | None = None
    warnings: tuple[str, ...] = ()
    strict: bool = False
    allow_empty_waves: bool = False
    lane: Lane = field(default_factory=lambda: Lane(None, None, None))


def campaign_context(variables: Mapping[str, object], options: PlanOptions) -> JsonObject:
    """What templates outside of groups see. `variables` are the jobspec's.

    Raises:
        InvalidInput: a variable cannot be rendered.
    """
    base = base_context(options.env, options.run_date)
    try:
        return context_with(base, resolve_variables(_variables(variables, {}, options), base))
    except TemplateProblem as error:
        raise InvalidInput(error.problem) from error


def lanes_asked(campaign: Campaign, options: PlanOptions) -> tuple[Lane, ...]:
    """The lanes of all groups, before anything is known of servers: each group by its own name, also where it is split.

    Raises:
        InvalidInput: a lane cannot be told.
    """
    problems: list[Problem] = []
    base, lanes = base_context(options.env, options.run_date), LaneTable(campaign.lane, options.lane)
    for group in campaign.groups:
        try:
            lanes.index_of(group.lane, _group_context(campaign, group, options, base), problems)
        except TemplateProblem as error:
            problems.append(error.problem)
    if problems:
        raise InvalidInput(*dict.fromkeys(problems))
    return lanes.lanes


def _group_context(campaign: Campaign, group: GroupSpec, options: PlanOptions, base: JsonMapping) -> JsonObject:
    variables = resolve_variables(_variables(campaign.vars, group.vars, options), base)
    return context_with(base, variables) | {"group": Names("group", {"name": group.name})}


def expand(campaign: Campaign, servers: Sequence[Server] | None, options: PlanOptions) -> Plan:
    """Make the plan. Without an inventory (`servers` is None) the servers are those that groups list by id.

    Raises:
        InvalidInput: with all that is wrong.
    """
    return _Expansion(campaign, options).plan(servers)


def _listed_servers(campaign: Campaign, contexts: Sequence[JsonMapping], problems: list[Problem]) -> list[Server]:
    """The servers of groups that list ids, where no inventory is given: nothing else is known of them."""
    for group in campaign.groups:
        if group.servers is None:
            place = group.place
            raise InvalidInput(
                Problem(
                    f"group `{group.name}` selects from an inventory, and none is given",
                    place.file,
                    place.line,
                    place.column,
                    place.path,
                    "name a file with `inventory:` or -i",
                )
            )
    listed = zip(campaign.groups, contexts, strict=True)
    ids = (server_id for group, context in listed for server_id in listed_names(group, context, problems))
    return [Server(server_id, server_id, {}) for server_id in dict.fromkeys(ids)]


def _variables(jobspec: Mapping[str, object], group: Mapping[str, object], options: PlanOptions) -> dict[str, object]:
    given = {**jobspec, **options.vars_file, **options.variables}
    empty = {name for name, value in options.variables.items() if value is None}
    return {**{name: given[name] for name in given if name not in empty}, **group}


class _Planned(NamedTuple):
    lanes: LaneTable
    groups: list[PlannedGroup]
    requests: list[PlannedRequest]
    rollout: Rollout | None


class _Expansion:
    def __init__(self, campaign: Campaign, options: PlanOptions) -> None:
        self._campaign = campaign
        self._options = options
        self._base = base_context(options.env, options.run_date)
        self._problems: list[Problem] = []
        self._warnings = list(options.warnings)
        self._inventory = ServerColumns((), ())
        self._limit = ServerLimit(options.limit, options.limit_list)

    def plan(self, listed: Sequence[Server] | None) -> Plan:
        specs = self._asked_for()
        self._warnings += overridden_variables(specs, self._options.variables)
        contexts = [self._context_of(group) for group in specs]
        self._fail_on_problems()
        of_rollout = self._rollout_context()
        self._problems += expression_problems(self._campaign, contexts, of_rollout)
        servers = columns_of(_listed_servers(self._campaign, contexts, self._problems) if listed is None else listed)
        self._fail_on_problems()
        self._inventory = servers
        seen = Contexts(contexts, of_rollout)
        labels = LabelChecks(self._campaign, self._limit.template, servers, seen)
        self._problems += labels.unknown()
        self._fail_on_problems()
        allowed, left_out = self._limit.split(servers)
        selected = select_groups(specs, allowed, contexts, self._problems, left_out)
        self._fail_on_problems()
        asked_for = [group for group in selected if self._is_asked_for(group.spec, group.name)]
        self._problems += misused_labels(self._campaign, [group.servers for group in asked_for], of_rollout)
        self._fail_on_problems()
        planned = self._planned(asked_for, contexts)
        description, hooks = self._description(), self._hooks()
        self._fail_on_problems()
        self._warnings += [*changed_names(asked_for), *labels.lacking(allowed, asked_for)]
        return self._assemble(planned, len(servers), description, hooks)

    def _rollout_context(self) -> JsonMapping:
        """What expressions outside of groups see."""
        return {} if self._campaign.rollout is None else campaign_context(self._campaign.vars, self._options)

    def _asked_for(self) -> list[GroupSpec]:
        groups = self._campaign.groups
        names = [group.name for group in groups]
        # A group that is split is called by its own name, or by that of one part.
        for name in self._options.groups:
            if not any(_is_called(group, name) for group in groups):
                self._problems.append(Problem(f"--group {name}: no such group", hint=did_you_mean(name, names)))
        # Groups that were not asked for still come first: they keep their servers.
        return list(groups)

    def _context_of(self, group: GroupSpec) -> JsonObject:
        try:
            return _group_context(self._campaign, group, self._options, self._base)
        except TemplateProblem as error:
            self._problems.append(error.problem)
            return {}

    def _is_asked_for(self, group: GroupSpec, name: str) -> bool:
        """Whether --group names a group, or the part of it with this name."""
        return not self._options.groups or any(_is_called(group, asked, name) for asked in self._options.groups)

    def _planned(self, selected: Sequence[SelectedGroup], by_spec: Sequence[JsonMapping]) -> _Planned:
        contexts = dict(zip((spec.name for spec in self._campaign.groups), by_spec, strict=True))
        lanes = LaneTable(self._campaign.lane, self._options.lane)
        chosen: list[ChosenGroup] = []
        for group in selected:
            if not group.servers:
                self._empty(group)
                continue
            context = {**contexts[group.spec.name], "group": Names("group", {"name": group.name})}
            lane = lanes.index_of(group.spec.lane, context, self._problems)
            context["lane"] = lanes.context_of(lane)
            chosen.append(ChosenGroup(group.name, group.spec.name, lane, group.servers, context))
        if self._campaign.rollout is not None:
            absence = Absence(self._campaign.groups, by_spec, self._inventory, self._is_asked_for, self._limit.allows)
            self._refuse_empty(self._campaign.rollout, chosen, absence)
            if chosen:
                return self._rolled_out(lanes, chosen, self._campaign.rollout, absence)
        groups = [PlannedGroup(group.name, group.lane, group.servers) for group in chosen]
        requests = [
            request
            for index, group in enumerate(chosen)
            for request in self._requests(index, len(group.servers), group.context)
        ]
        return _Planned(lanes, groups, requests, None)

    def _refuse_empty(self, spec: RolloutSpec, chosen: Sequence[ChosenGroup], absence: Absence) -> None:
        empty = list(empty_waves(spec, [(group.name, group.spec_name) for group in chosen], absence))
        if self._options.allow_empty_waves:
            self._warnings += [f"{problem.file}:{problem.line}: {problem.message}" for problem in empty]
        else:
            self._problems += empty

    def _rolled_out(
        self, lanes: LaneTable, chosen: Sequence[ChosenGroup], spec: RolloutSpec, absence: Absence
    ) -> _Planned:
        named = {name for wave in spec.waves for name in wave.groups or ()}
        known = {name for group in chosen for name in (group.name, group.spec_name)}
        parts = absence.parts() if named - known else ()
        context = campaign_context(self._campaign.vars, self._options)
        expansion = RolloutExpansion(self._campaign, spec, chosen, parts, context, self._problems)
        return _Planned(lanes, *expansion.plan(self._inventory))

    def _empty(self, group: SelectedGroup) -> None:
        message = f"group `{group.name}` selects no server"
        place = group.spec.place
        if self._options.strict:
            self._problems.append(Problem(message, place.file, place.line, place.column, place.path))
        else:
            self._warnings.append(f"{place.file}:{place.line}: {message}")

    def _requests(self, group: int, size: int, context: JsonMapping) -> list[PlannedRequest]:
        requests: list[PlannedRequest] = []
        for index, step in enumerate(self._campaign.steps):
            starts = range(0, size, step.servers_per_job)
            bodies = BodyTemplate(step).render_all(context, len(starts), self._problems)
            for start, body in zip(starts, bodies, strict=True):
                requests.append(PlannedRequest(index, group, start, min(start + step.servers_per_job, size), body))
        return requests

    def _assemble(self, planned: _Planned, total: int, description: str, hooks: tuple[PlannedHook, ...]) -> Plan:
        lanes, groups, requests, rollout = planned
        campaign, options = self._campaign, self._options
        selected = sum(len(group.servers) for group in groups)
        plan = Plan(
            campaign=campaign.name,
            description=description,
            jobspec=campaign.source,
            variables=plain_numbers(as_written({**options.vars_file, **options.variables})),
            inventory_fingerprint=options.inventory_fingerprint,
            runner_version=options.runner_version,
            created_at=options.created_at,
            lanes=lanes.lanes,
            steps=tuple(step.name for step in ordered_steps(campaign)),
            groups=tuple(groups),
            requests=tuple(requests),
            submit=campaign.submit,
            watch=campaign.watch,
            summary=PlanSummary(total, selected, total - selected, len(requests), tuple(self._warnings)),
            plan_hash="",
            rollout=rollout,
            hooks=hooks,
        )
        return replace(plan, plan_hash=hash_plan(plan))

    def _description(self) -> str:
        if self._campaign.description is None:
            return ""
        try:
            return render_text(self._campaign.description, campaign_context(self._campaign.vars, self._options))
        except TemplateProblem as error:
            self._problems.append(error.problem)
            return ""

    def _hooks(self) -> tuple[PlannedHook, ...]:
        if not self._campaign.hooks:
            return ()
        context = campaign_context(self._campaign.vars, self._options)
        return planned_hooks(self._campaign.hooks, context, self._problems)

    def _fail_on_problems(self) -> None:
        if self._problems:
            unique = dict.fromkeys(self._problems)
            raise InvalidInput(*sorted(unique, key=lambda p: (p.line or 0, p.column or 0)))


def _is_called(group: GroupSpec, name: str, part: str | None = None) -> bool:
    if group.name == name:
        return True
    return part == name if part is not None else group.split_by is not None and name.startswith(f"{group.name}-")
