"""What templates see: variables by precedence, and the fixed names beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from runner.errors import Problem
from runner.spec.campaign import Template
from runner.spec.checks import templates_in
from runner.spec.expressions import ServerExpression
from runner.spec.names import Names
from runner.spec.secrets import SecretNames
from runner.spec.templates import TemplateProblem, guarded, problem_at, render_value, variables_used
from runner.spec.texts import json_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.model import Json, JsonMapping, JsonObject
    from runner.spec.campaign import Campaign


def base_context(env: Mapping[str, str], run_date: str) -> JsonObject:
    """The names that every template sees. `run_date` is the day the plan was made, YYYY-MM-DD."""
    env = dict(env)
    return {"env": Names("env", env), "secret": SecretNames(env), "run": Names("run", {"date": run_date})}


def resolve_variables(variables: Mapping[str, object], base: JsonMapping) -> JsonObject:
    """Render variables whose values are templates; one may use others, in any order, by name or as `vars.NAME`.

    Raises:
        TemplateProblem: a value cannot be rendered, or variables use each other in a circle.
    """
    resolving = _Resolving(variables, base)
    for name in _in_order(variables):
        resolving.resolve(name)
    return {name: resolving[name] for name in variables}


def context_with(base: JsonMapping, variables: JsonMapping) -> JsonObject:
    """The context of a template: variables by name and as `vars.NAME`. A fixed name wins over a variable."""
    return {**variables, **base, "vars": Names("vars", variables)}


def server_expression(template: Template, context: JsonMapping, *, is_condition: bool = False) -> ServerExpression:
    """An expression over servers that sees the variables of a context.

    Raises:
        TemplateProblem: it uses a name that is not known.
    """
    return ServerExpression(template, context["vars"].values, is_condition=is_condition)


def expression_problems(campaign: Campaign, contexts: Sequence[JsonMapping], context: JsonMapping) -> Iterator[Problem]:
    """What is wrong with the names that expressions over servers use. A group's see its context, others the campaign's."""
    seen = [
        (expression, of_group)
        for group, of_group in zip(campaign.groups, contexts, strict=True)
        for expression in (group.select, group.split_by)
    ]
    rollout = campaign.rollout
    if rollout is not None:
        seen += [(limit.expression, context) for limit in rollout.budget.per]
        seen += [(expression, context) for expression in rollout.strata or ()]
    for expression, of_expression in seen:
        if expression is not None:
            try:
                used = server_expression(expression, of_expression).variables_used
                guarded(lambda: json_text(used), expression.place, of_expression)  # noqa: B023  called at once
            except TemplateProblem as error:
                yield error.problem


def as_written(value: object) -> Json:
    """A variable's value as it stands in the file."""
    if isinstance(value, Template):
        return value.source
    if isinstance(value, dict):
        return {key: as_written(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_written(item) for item in value]
    return value


class _Resolving(Mapping[str, object]):
    """Variables, each rendered when it is first looked up: so that `vars[NAME]` finds what no one could see beforehand."""

    def __init__(self, variables: Mapping[str, object], base: JsonMapping) -> None:
        self._variables = variables
        self._base = base
        self._resolved: JsonObject = {}
        self._open: list[str] = []

    def __getitem__(self, name: str) -> object:
        if name not in self._resolved:
            self.resolve(name)
        return self._resolved[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)

    def resolve(self, name: str) -> None:
        """Render a variable. Raises KeyError if there is none."""
        value = self._variables[name]
        if name in self._resolved:
            return
        if name in self._open:
            raise _circle([*self._open[self._open.index(name) :], name], self._variables)
        self._open.append(name)
        self._resolved[name] = self._render(value)
        self._open.pop()

    def _render(self, value: object) -> Json:
        if isinstance(value, Template):
            return render_value(value, self._context_of(value))
        if isinstance(value, dict):
            return {key: self._render(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._render(item) for item in value]
        return value

    def _context_of(self, template: Template) -> JsonObject:
        used = {name: self[name] for name in variables_used(template) if name in self._variables}
        return {**used, **self._base, "vars": Names("vars", self)}


def _in_order(variables: Mapping[str, object]) -> Sequence[str]:
    """Each after those that it is seen to use."""
    needs = {name: sorted(_needs(value) & variables.keys()) for name, value in variables.items()}
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise _circle([*reversed(error.args[1])], variables) from error


def _needs(value: object) -> set[str]:
    return {name for template in templates_in(value) for name in variables_used(template)}


def _circle(names: Sequence[str], variables: Mapping[str, object]) -> TemplateProblem:
    template = next((template for name in names for template in templates_in(variables[name])), None)
    message = f"variables use each other in a circle: {' -> '.join(names)}"
    return TemplateProblem(Problem(message) if template is None else problem_at(template.place, message))
