"""`select`, `split_by` and `--limit`: Jinja expressions over one server's `id`, `name` and `labels`.

A label that a server lacks is undefined: it equals nothing, so that `labels.ring == "canary"` simply does not select it.
Comparing it by size, or using it in arithmetic, is an error. So is a label that is taken for a number or a boolean
(`runner.spec.label_use`): labels are text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from jinja2 import TemplateError, TemplateSyntaxError, Undefined, UndefinedError, nodes
from jinja2.environment import TemplateExpression
from jinja2.parser import Parser

from runner.errors import Problem
from runner.spec.expression_mistakes import expression_hint
from runner.spec.label_syntax import ALL_LABELS, balanced, by_name
from runner.spec.label_use import LabelUse, label_use
from runner.spec.label_values import LabelMisuse, Labels, LabelText, PlannedLabels, number, whole_number
from runner.spec.suggest import did_you_mean
from runner.spec.templates import TemplateProblem, make_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Environment

    from runner.model import Json, Server
    from runner.spec.campaign import Place, Template

_NAMES = frozenset({"id", "name", "labels"})
_ENVIRONMENT = make_environment()
_ENVIRONMENT.undefined = Undefined
_ENVIRONMENT.filters |= {"int": whole_number, "float": number}
# What stands in a plan means what it meant when that was made.
_OF_PLANS = make_environment()
_OF_PLANS.undefined = Undefined
_LACKED = re.compile(r"Labels object' has no attribute '(.+)'$")
_T = TypeVar("_T")


class ServerExpression:
    """A compiled expression. `uses_only_labels`: servers with equal labels give equal values.

    `is_condition`: its value says whether a server is meant. `planned`: it stands in a plan, where it means what it meant
    when that was made. `use` is what it does with labels.
    """

    def __init__(self, template: Template, *, is_condition: bool = False, planned: bool = False) -> None:
        self._place = template.place
        self._planned = planned
        self._is_condition = is_condition
        source = str(template.source)
        try:
            self._read(source)
        except (TemplateError, SyntaxError) as error:
            message = error.message if isinstance(error, TemplateSyntaxError) else str(error)
            raise TemplateProblem(self._problem(f"expression: {message}", expression_hint(source))) from error
        except (RecursionError, MemoryError) as error:
            raise TemplateProblem(self._problem("expression: it is too long, or nested too deep")) from error

    def _read(self, source: str) -> None:
        parser = Parser(_ENVIRONMENT, source, state="variable")
        expression = parser.parse_expression()
        if not parser.stream.eos:
            raise TemplateSyntaxError("chunk after expression", parser.stream.current.lineno)
        expression = balanced(expression)
        names = {node.name for node in (expression, *expression.find_all(nodes.Name)) if isinstance(node, nodes.Name)}
        self._refuse_unknown(names)
        self.uses_only_labels = names <= {"labels"}
        self.use: LabelUse = label_use(expression, is_condition=self._is_condition)
        if self.use.mistakes and not self._planned:
            raise TemplateProblem(self._problem(*self.use.mistakes[0]))
        self._evaluate = _compiled(by_name(expression), _OF_PLANS if self._planned else _ENVIRONMENT)

    def value(self, server: Server) -> Json:
        """What the expression gives for a server; None where it is undefined.

        Raises:
            TemplateProblem: it cannot be evaluated for this server.
        """
        try:
            if self._planned:
                labels = PlannedLabels(server.labels)
                return self._evaluate(id=server.id, name=server.name, labels=labels, **{ALL_LABELS: server.labels})
            found = self._evaluate(id=LabelText(server.id), name=LabelText(server.name), labels=Labels(server.labels))
        except LabelMisuse as error:
            raise TemplateProblem(self._problem(f"for server {server.id}: {error}", error.hint)) from error
        except Exception as error:
            lacked = _LACKED.search(str(error)) if isinstance(error, UndefinedError) else None
            message = f"it has no label `{lacked[1]}`" if lacked else str(error)
            hint = "write |default(...) to say what stands for it" if lacked else ""
            raise TemplateProblem(self._problem(f"for server {server.id}: {message}", hint)) from error
        if type(found) is not LabelText:
            return found
        if self._is_condition:
            message = f'for server {server.id}: it gives the text "{found}"; expected true or false'
            raise TemplateProblem(self._problem(message, f'write ... == "{found}"'))
        return str(found)

    def _refuse_unknown(self, names: set[str]) -> None:
        unknown = sorted(names - _NAMES - set(_ENVIRONMENT.globals))
        if unknown:
            name = unknown[0]
            raise TemplateProblem(
                self._problem(
                    f"unknown name `{name}`; a server has id, name and labels",
                    expression_hint(name) or did_you_mean(name, _NAMES),
                )
            )

    def _problem(self, message: str, hint: str = "") -> Problem:
        place: Place = self._place
        return Problem(message, place.file, place.line, place.column, place.path, hint)


def _compiled(expression: nodes.Node, environment: Environment) -> Callable[..., Json]:
    """As `Environment.compile_expression` does it."""
    expression.set_environment(environment)
    body: list[nodes.Node] = [nodes.Assign(nodes.Name("result", "store"), expression, lineno=1)]
    return TemplateExpression(environment.from_string(nodes.Template(body, lineno=1)), undefined_to_none=True)


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
