"""Leaving servers out of a run that goes on: which they are, and the events that do it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.run import events as e
from runner.run.facts import UNSENT
from runner.spec.campaign import Place, Template
from runner.spec.expressions import ServerExpression
from runner.spec.templates import TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from runner.plan.plan import Plan
    from runner.run.facts import Facts


class NoSuchServers(ValueError):  # noqa: N818  what it is, not that it is an error, is the news
    """The text names no server of the plan; the message says why."""


def matching_servers(plan: Plan, text: str) -> set[str]:
    """The ids of the servers that a person means by an id, a name, or an expression over servers.

    Raises:
        NoSuchServers: there is none, or the text is no expression.
    """
    servers = [server for group in plan.groups for server in group.servers]
    named = {server.id for server in servers if text in {server.id, server.name}}
    if named:
        return named
    try:
        expression = ServerExpression(Template(text, Place("exclude", 1, 1, "SERVER|EXPR")))
        found = {server.id for server in servers if expression.value(server)}
    except TemplateProblem as error:
        raise NoSuchServers(f"{text!r} is no server of the run, nor an expression: {error.problem.message}") from error
    if not found:
        labels = "" if plan.rollout else "; a run without a rollout knows ids and names of its servers, and no labels"
        raise NoSuchServers(f"no server of the run is {text}{labels}")
    return found


def exclusions(state: Facts, ids: Collection[str], at: float) -> Iterator[e.Split | e.Withdrawn]:
    """The events that withdraw these servers from requests that were not sent. Each must be true before the next is asked.

    Servers that are in flight, or over, stay. Those that may not be parted from an excluded one are excluded with it.
    """
    for first in range(len(state.requests)):
        pieces = [first]
        while pieces:
            request = pieces.pop()
            if state.phases[request] not in UNSENT or not state.is_main(request) or _is_under_way(state, request):
                continue
            if request in state.suspected:
                continue  # it has a job
            servers = state.servers_of(request)
            hits = sum(server.id in ids for server in servers)
            cut = state.requests.cut_of(request) if 0 < hits < len(servers) else None
            if cut is not None:
                yield e.Split(at, request, cut)
                pieces += state.requests.pieces[request]
            elif hits:
                yield e.Withdrawn(at, request)


def _is_under_way(state: Facts, request: int) -> bool:
    """Whether an earlier step of the request's servers is not over: what becomes of them is not known yet."""
    return state.requests.entries[request].step > 0 and state.waits_for_step(request)
