"""What templates see: variables by precedence, and the fixed names beside them."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from runner.errors import Problem
from runner.spec.campaign import Template
from runner.spec.checks import templates_in
from runner.spec.templates import SecretNames, TemplateProblem, guarded_secrets, names_used, render_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.model import Json, JsonMapping, JsonObject

FIXED_NAMES = ("vars", "env", "secret", "run", "group", "step", "batch", "lane")


def base_context(env: Mapping[str, str], run_date: str) -> JsonObject:
    """The names that every template sees. `run_date` is the day the plan was made, YYYY-MM-DD."""
    return {"env": dict(env), "secret": SecretNames(), "run": {"date": run_date}}


def resolve_variables(variables: Mapping[str, object], base: JsonMapping) -> JsonObject:
    """Render variables whose values are templates; one may use others, in any order.

    Raises:
        TemplateProblem: a value cannot be rendered, or variables use each other in a circle.
    """
    needs = {name: _needs(value) & variables.keys() for name, value in variables.items()}
    resolved: JsonObject = {}
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        names = error.args[1]
        template = next(templates_in(variables[names[0]]))
        place = template.place
        circle = " -> ".join(reversed(names))
        raise TemplateProblem(
            Problem(f"variables use each other in a circle: {circle}", place.file, place.line, place.column, place.path)
        ) from error
    for name in order:
        value = _render(variables[name], {**base, **resolved, "vars": resolved})
        resolved[name] = guarded_secrets(value, base["secret"])
    return resolved


def context_with(base: JsonMapping, variables: JsonMapping) -> JsonObject:
    """The context of a template: variables by name and as `vars.NAME`. A fixed name wins over a variable."""
    return {**variables, **base, "vars": variables}


def _needs(value: object) -> set[str]:
    return {name for template in templates_in(value) for name in names_used(template)}


def _render(value: object, context: JsonMapping) -> Json:
    if isinstance(value, Template):
        return render_value(value, context)
    if isinstance(value, dict):
        return {key: _render(item, context) for key, item in value.items()}
    if isinstance(value, list):
        return [_render(item, context) for item in value]
    return value
