"""`select`, `split_by` and `--limit`: Jinja expressions over one server's `id`, `name` and `labels`.

A label that a server lacks is undefined: it equals nothing and is false, so that `labels.ring == "canary"` simply does
not select it. Comparing it by size, or using it in arithmetic, is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from jinja2 import TemplateSyntaxError, Undefined, UndefinedError, meta

from runner.errors import Problem
from runner.spec.expression_mistakes import expression_hint
from runner.spec.suggest import did_you_mean
from runner.spec.templates import TemplateProblem, make_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.model import Json, Server
    from runner.spec.campaign import Place, Template

_NAMES = frozenset({"id", "name", "labels"})
_ENVIRONMENT = make_environment()
_ENVIRONMENT.undefined = Undefined
_T = TypeVar("_T")


class ServerExpression:
    """A compiled expression. `uses_only_labels`: servers with equal labels give equal values."""

    def __init__(self, template: Template) -> None:
        source = str(template.source)
        self._place = template.place
        try:
            names = meta.find_undeclared_variables(_ENVIRONMENT.parse("{{ " + source + " }}"))
            self._evaluate = _ENVIRONMENT.compile_expression(source)
        except TemplateSyntaxError as error:
            raise TemplateProblem(self._problem(f"expression: {error.message}", expression_hint(source))) from error
        self._refuse_unknown(names)
        self.uses_only_labels = names <= {"labels"}

    def value(self, server: Server) -> Json:
        """What the expression gives for a server; None where it is undefined.

        Raises:
            TemplateProblem: it cannot be evaluated for this server.
        """
        try:
            return self._evaluate(id=server.id, name=server.name, labels=server.labels)
        except UndefinedError as error:
            raise TemplateProblem(self._problem(f"for server {server.id}: {error}")) from error
        except Exception as error:
            raise TemplateProblem(self._problem(f"for server {server.id}: {error}")) from error

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
