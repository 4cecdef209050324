"""`--limit`: the servers that a plan may be about at all, by an expression or by a list."""

from __future__ import annotations

from itertools import compress
from operator import not_
from typing import TYPE_CHECKING

from runner.errors import InvalidInput
from runner.plan.listing import ListedServers
from runner.spec.campaign import Place, Template
from runner.spec.expressions import ServerExpression, once_per_labels
from runner.spec.templates import TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runner.model import Server

_COMMAND_LINE = "command line"


class ServerLimit:
    """An expression, or a list of ids and names, or neither: then all servers are allowed. `template` is the expression.

    Raises:
        InvalidInput: it is no expression.
    """

    def __init__(self, expression: str | None, listed: Mapping[str, Template] | None) -> None:
        self.template = None if expression is None else Template(expression, Place(_COMMAND_LINE, 1, 1, "--limit"))
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
        return once_per_labels(expression.value) if expression.uses_only_labels else expression.value

    def split(self, servers: Sequence[Server]) -> tuple[Sequence[Server], Sequence[Server]]:
        """The servers that are allowed, and those that are not.

        Raises:
            InvalidInput: the expression cannot be evaluated for a server, or the list is wrong.
        """
        if self._listed is None and self.template is None:
            return servers, ()
        try:
            allowed = [bool(self.allows(server)) for server in servers]
        except TemplateProblem as error:
            raise InvalidInput(error.problem) from error
        if self._listed is not None and (problems := list(self._listed.problems())):
            raise InvalidInput(*problems)
        return list(compress(servers, allowed)), list(compress(servers, map(not_, allowed)))
