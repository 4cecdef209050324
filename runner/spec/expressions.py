"""`select`, `split_by` and `--limit`: Jinja expressions over one server's `id`, `name` and `labels`, and the variables.

A label that a server lacks is undefined: it equals nothing and is false, so that `labels.ring == "canary"` simply does
not select it. Comparing it by size, or using it in arithmetic, is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from jinja2 import Undefined

from runner.spec.names import Names
from runner.spec.sandbox import SELECTORS
from runner.spec.suggest import did_you_mean
from runner.spec.syntax import SyntaxMistake, compiled_expression
from runner.spec.templates import TemplateProblem, as_problem, problem_at
from runner.spec.texts import Guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.errors import Problem
    from runner.model import Json, JsonMapping, Server
    from runner.spec.campaign import Template
    from runner.spec.syntax import Expression

_OF_A_SERVER = frozenset({"id", "name", "labels"})
_T = TypeVar("_T")


class ServerExpression:
    """A compiled expression. `uses_only_labels`: servers with equal labels give equal values.

    `variables` are seen by name and as `vars.NAME`, where there are such (not None); a server's `id`, `name` and `labels`
    come first. `variables_used` are those that it needs.
    """

    def __init__(self, template: Template, variables: JsonMapping | None = None) -> None:
        self._template = template
        compiled = _compiled(template)
        self._evaluate = compiled.evaluate
        fixed = {} if variables is None else {**variables, "vars": Names("vars", variables)}
        self._refuse_unknown(compiled.names, fixed)
        variables = variables or {}
        used = variables.keys() if compiled.of_vars is None else compiled.names | compiled.of_vars
        self.variables_used = {name: variables[name] for name in sorted(used) if name in variables}
        self._fixed = {name: fixed[name] for name in compiled.names if name in fixed}
        self.uses_only_labels = not {"id", "name"} & compiled.names

    def value(self, server: Server) -> Json:
        """What the expression gives for a server; None where it is undefined.

        Raises:
            TemplateProblem: it cannot be evaluated for this server.
        """
        values = {**self._fixed, "id": server.id, "name": server.name, "labels": server.labels}
        try:
            value = self._evaluate(values)
            if isinstance(value, Undefined):
                return str(value) or None  # raises, where it cannot be there for any server
        except Exception as error:
            problem = as_problem(error, self._template.place, values).problem
            message = f"for server {server.id}: {problem.message.removeprefix('template: ')}"
            raise TemplateProblem(self._problem(message, problem.hint)) from error
        if isinstance(value, Guarded):
            raise TemplateProblem(self._problem(value.refusal().message, value.refusal().hint))
        return value

    def _refuse_unknown(self, names: frozenset[str], fixed: JsonMapping) -> None:
        unknown = sorted(names - {*_OF_A_SERVER, *fixed, *SELECTORS.globals})
        if unknown:
            name = unknown[0]
            seen = "a server has id, name and labels" + (", and there are the variables" if fixed else "")
            hint = did_you_mean(name, {*_OF_A_SERVER, *fixed})
            raise TemplateProblem(self._problem(f"unknown name `{name}`; {seen}", hint))

    def _problem(self, message: str, hint: str = "") -> Problem:
        return problem_at(self._template.place, message, hint)


def check_expression(template: Template) -> None:
    """Raise TemplateProblem if the expression cannot be compiled. Which names it may use is known later."""
    _compiled(template)


def _compiled(template: Template) -> Expression:
    try:
        return compiled_expression(SELECTORS, str(template.source))
    except SyntaxMistake as error:
        raise TemplateProblem(problem_at(template.place, f"expression: {error.message}", error.hint)) from error


def once_per_labels(function: Callable[[Server], _T]) -> Callable[[Server], _T]:
    """The same function, asked once for all servers that share one labels object; the caller keeps those alive."""
    known: dict[int, _T] = {}

    def asked_once(server: Server) -> _T:
        key = id(server.labels)
        if key not in known:
            known[key] = function(server)
        return known[key]

    return asked_once


def text_getter(expression: ServerExpression) -> Callable[[Server], str | None]:
    """The value of an expression for a server as text, None where there is none; the caller keeps the servers alive."""

    def text(server: Server) -> str | None:
        found = expression.value(server)
        return None if found is None or found == "" else str(found)

    return once_per_labels(text) if expression.uses_only_labels else text
