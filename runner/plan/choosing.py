"""The servers of an inventory for which a condition holds, before any jobspec looks at them."""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING

from runner.errors import InvalidInput
from runner.plan.label_checks import unknown_labels
from runner.spec.expressions import ServerExpression, text_getter
from runner.spec.per_labels import PerLabels
from runner.spec.templates import TemplateProblem

if TYPE_CHECKING:
    from runner.servers import ServerColumns
    from runner.spec.campaign import Template


def chosen(servers: ServerColumns, condition: Template) -> ServerColumns:
    """The servers for which a condition over `id`, `name` and `labels` holds.

    Raises:
        InvalidInput: it is no condition, cannot be evaluated for a server, or names a label that no server has.
    """
    try:
        expression = ServerExpression(condition, is_condition=True)
        _refuse_unknown(condition, servers, is_condition=True)
        holds = PerLabels(expression, expression.value).of(servers)
    except TemplateProblem as error:
        raise InvalidInput(error.problem) from error
    return servers.take(list(compress(range(len(servers)), holds)))


def texts_of(servers: ServerColumns, expression: Template) -> list[str | None]:
    """The text that an expression gives for each server; None: none.

    Raises:
        InvalidInput: as `chosen`.
    """
    try:
        compiled = ServerExpression(expression)
        _refuse_unknown(expression, servers, is_condition=False)
        return text_getter(compiled).of(servers)
    except TemplateProblem as error:
        raise InvalidInput(error.problem) from error


def _refuse_unknown(expression: Template, servers: ServerColumns, *, is_condition: bool) -> None:
    if len(servers) and (unknown := list(unknown_labels(expression, servers, is_condition=is_condition))):
        raise InvalidInput(*unknown)
