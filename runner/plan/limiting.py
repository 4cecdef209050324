"""`--limit`: the servers that a plan may be about at all, by an expression or by a list."""

from __future__ import annotations

from itertools import compress
from operator import not_
from typing import TYPE_CHECKING

from runner.errors import InvalidInput
from runner.plan.listing import ListedServers
from runner.spec.campaign import Place, Template
from runner.spec.expressions import ServerExpression
from runner.spec.per_labels import PerLabels
from runner.spec.templates import TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.model import Server
    from runner.servers import ServerColumns

_COMMAND_LINE = "command line"


def limit_template(expression: str | None) -> Template | None:
    """The expression of `--limit`, if there is one."""
    return None if expression is None else Template(expression, Place(_COMMAND_LINE, 1, 1, "--limit"))


class ServerLimit:
    """An expression, or a list of ids and names, or neither: then all servers are allowed. `template` is the expression.

    Raises:
        InvalidInput: it is no expression.
    """

    def __init__(self, expression: str | None, listed: Mapping[str, Template] | None) -> None:
        self.template = limit_template(expression)
        self._listed = None if listed is None else ListedServers(listed)
        self.allows = self._test()

    def _test(self) -> Callable[[Server], object]:
        """Whether a server is allowed."""
        if self._listed is not None:
            return self._listed.has
        if self.template is None:
            return lambda _: True
        try:
            expression = ServerExpression(self.template, is_condition=True)
        except TemplateProblem as error:
            raise InvalidInput(error.problem) from error
        return PerLabels(expression, expression.value)

    def split(self, servers: ServerColumns) -> tuple[ServerColumns, ServerColumns]:
        """The servers that are allowed, and those that are not.

        Raises:
            InvalidInput: the expression cannot be evaluated for a server, or the list is wrong.
        """
        if self._listed is None and self.template is None:
            return servers, servers[:0]
        try:
            allows = self.allows
            allowed = allows.of(servers) if isinstance(allows, PerLabels) else list(map(allows, servers))
        except TemplateProblem as error:
            raise InvalidInput(error.problem) from error
        if self._listed is not None and (problems := list(self._listed.problems())):
            raise InvalidInput(*problems)
        every = range(len(servers))
        return servers.take(list(compress(every, allowed))), servers.take(list(compress(every, map(not_, allowed))))
