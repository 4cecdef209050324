"""Leaving servers out of a run that goes on, and taking them in again: which they are, and the events that do it.

A person excludes servers at once. Those that another run of the family has are left out when their turn comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runner.run import events as e
from runner.run.decisions import LeaveOut, SplitUp
from runner.run.intake import may_come_back, nothing_left
from runner.run.phases import IN_FLIGHT, UNSENT, Phase
from runner.spec.campaign import Place, Template
from runner.spec.expressions import ServerExpression
from runner.spec.per_labels import PerLabels
from runner.spec.suggest import did_you_mean
from runner.spec.templates import TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from runner.model import Server
    from runner.plan.plan import Plan
    from runner.run.facts import Facts
    from runner.spec.label_use import LabelUse

_SHOWN = 3
_NO_LABELS = "the plan of this run has no labels of its servers, only ids and names"


class NoSuchServers(ValueError):
    """The text names no server of the plan; the message says why."""


class ExclusionScope(NamedTuple):
    """What becomes of servers that are to be excluded, in servers: those not sent yet, and those that stay as they are.

    `together` are others that are excluded with them, because they are never parted.
    """

    excluded_now: int
    together: int
    in_flight: int
    over: int
    excluded_before: int

    def kept(self) -> str:
        """Those that stay as they are, for a person; empty if there are none."""
        parts = ((self.in_flight, "in flight"), (self.over, "over"), (self.excluded_before, "excluded already"))
        return ", ".join(f"{count:,} {'is' if count == 1 else 'are'} {what}" for count, what in parts if count)


def matching_servers(plan: Plan, text: str) -> set[str]:
    """The ids of the servers that a person means by an id, a name, or an expression over servers.

    Raises:
        NoSuchServers: there is none, or the text is no expression.
    """
    servers = [server for group in plan.groups for server in group.servers]
    named = {server.id for server in servers if text in {server.id, server.name}}
    if len(named) > 1:
        ids = ", ".join(sorted(named)[:_SHOWN]) + ", ..." * (len(named) > _SHOWN)
        raise NoSuchServers(f"{text!r} is the id or the name of several servers: {ids}; name one by its id")
    if named:
        return named
    try:
        expression = ServerExpression(Template(text, Place("exclude", 1, 1, "SERVER|EXPR")), is_condition=True)
        selects = PerLabels(expression, expression.value)
        found = {server.id for server in servers if selects(server)}
    except TemplateProblem as error:
        hint = f"; {error.problem.hint}" if error.problem.hint else ""
        message = f"{text!r} is no server of the run, nor an expression: {error.problem.message}{hint}"
        raise NoSuchServers(message) from error
    _refuse_unknown_labels(servers, expression.use)
    if not found:
        raise NoSuchServers(f"no server of the run is {text}")
    return found


def _refuse_unknown_labels(servers: Collection[Server], use: LabelUse) -> None:
    named = use.named - use.missed
    known = (
        set[str]().union(*{id(server.labels): server.labels for server in servers}.values()) if named else set[str]()
    )
    if unknown := sorted(named - known):
        hint = did_you_mean(unknown[0], known) if known else ""
        if not known:
            hint = _NO_LABELS
        raise NoSuchServers(f"no server of the run has a label `{unknown[0]}`{'; ' if hint else ''}{hint}")


def exclusion_scope(facts: Facts, ids: Collection[str]) -> ExclusionScope:
    """What excluding these servers would come to now."""
    unsent, together, in_flight, excluded = set[str](), set[str](), set[str](), set[str]()
    for request, phase in enumerate(facts.phases):
        if not facts.is_main(request) or phase is Phase.SPLIT:
            continue
        if phase is Phase.EXCLUDED:
            excluded |= facts.exclusions[request].ids.intersection(ids)
            continue
        there = {server.id for server in facts.servers_of(request)}
        theirs = there.intersection(ids)
        if phase in IN_FLIGHT or (theirs and request in facts.suspected):
            in_flight |= theirs
        elif phase in UNSENT and not _is_under_way(facts, request):
            unsent |= theirs
            units = facts.requests.units_of(request) if theirs else ()
            for unit in ({server.id for server in servers} & there for servers in units):
                together |= unit if unit & theirs else set()
    over = len(ids) - len(unsent | in_flight | excluded)
    kept = len(in_flight), over, len(excluded - unsent - in_flight)
    return ExclusionScope(len(unsent - in_flight), len(together.difference(ids)), *kept)


def exclusions(
    facts: Facts, ids: Collection[str], at: float, who: str = "", why: str = "", *, lane: int | None = None
) -> Iterator[e.Split | e.Withdrawn]:
    """The events that withdraw these servers from requests that were not sent. Each must be true before the next is asked.

    Servers that are in flight, or over, stay. Those that may not be parted from an excluded one are excluded with it. Where
    it is not known what was sent on a lane, they are left out later (`runner.run.due`). `lane`: only on this one.
    """
    for first in range(len(facts.requests)):
        if facts.lane_of(first).unsurveyed_since is not None or (lane is not None and facts.lane_index(first) != lane):
            continue
        pieces = [first]
        while pieces:
            request = pieces.pop()
            if facts.phases[request] not in UNSENT or not facts.is_main(request) or _is_under_way(facts, request):
                continue
            if request in facts.suspected:
                continue  # it has a job
            servers = facts.servers_of(request)
            hits = sum(server.id in ids for server in servers)
            cut = facts.requests.cut_of(request) if 0 < hits < len(servers) else None
            if cut is not None:
                yield e.Split(at, request, cut)
                pieces += facts.requests.pieces[request]
            elif hits:
                yield e.Withdrawn(at, request, who, why)


def inclusion_refused(facts: Facts, ids: Collection[str]) -> str | None:
    """Why these servers cannot be taken in again; None if they can.

    A campaign of several steps has gone on without them, and so has one whose wave, or lane, is over: a retry does them.
    """
    requests = _excluded(facts, ids)
    if not requests and all(due.ids.isdisjoint(ids) for due in facts.controls.due):
        return "none of these servers is excluded"
    for request in requests:
        servers = [server.id for server in facts.servers_of(request)]
        if request in facts.conflict_jobs:
            jobs = ", ".join(facts.conflict_jobs[request])
            return f"{', '.join(servers[:_SHOWN])}{', ...' * (len(servers) > _SHOWN)} got a job all the same: {jobs}"
        others = _runs_that_have(facts, request)
        if others:
            return f"{servers[0]} belongs to {' and '.join(others)} now"
        if (gone := _went_on_without(facts, request)) is not None:
            return f"{gone}: `runner retry RUN --only excluded` does them in a run of their own"
        if not set(servers) <= set(ids):
            return f"{', '.join(servers[:_SHOWN])}{', ...' * (len(servers) > _SHOWN)} were excluded together: name all"
    return None


def _went_on_without(facts: Facts, request: int) -> str | None:
    """What is too far on for the excluded servers of a request to be taken in again; None if they can be."""
    first = min(facts.exclusions[request].ids, default="")
    wave = facts.rollout.waves[facts.requests.entries[request].wave] if facts.rollout else None
    if facts.plan.main_steps > 1:
        return "the steps of the campaign went on without them"
    if wave is not None and not wave.takes_in:
        return f"the wave of {first} is over"
    if wave is None and nothing_left(facts, facts.lane_of(request)):
        return f"all else of the lane of {first} is done"
    return None


def is_to_do(facts: Facts, request: int) -> bool:
    """Whether the request may still be sent. Servers that may be taken in again must not be another run's by then."""
    phase = facts.phases[request]
    return not phase.is_over or (phase is Phase.EXCLUDED and may_come_back(facts, request))


def inclusions(facts: Facts, ids: Collection[str], at: float) -> list[e.Included]:
    """The events that take these servers in again, where that is not refused."""
    return [e.Included(at, request) for request in _excluded(facts, ids)]


def parting(facts: Facts, request: int) -> SplitUp | LeaveOut | None:
    """How to keep a request that is ready from servers that another run has; None where it holds none of them.

    Asked of the one request whose turn it is, so that the cost of a decision does not grow with the fleet. Those that may
    not be parted from one that is left out are left out with it. Of checks, and of what follows a failure, too: the other
    run may be at work on the server.
    """
    left_out = facts.left_out[facts.requests.entries[request].group]
    if not left_out:
        return None
    servers = facts.servers_of(request)
    hits = sum(server.id in left_out for server in servers)
    if not hits:
        return None
    cut = facts.requests.cut_of(request) if hits < len(servers) else None
    if cut is not None:
        return SplitUp(request, cut)
    return LeaveOut(request, f"{' and '.join(_runs_that_have(facts, request))} has taken or done them")


def _runs_that_have(facts: Facts, request: int) -> list[str]:
    """The other runs of the family that have servers of a request."""
    left_out = facts.left_out[facts.requests.entries[request].group]
    ids = (left_out.get(server.id) for server in facts.servers_of(request)) if left_out else ()
    return [f"run {run_id}" for run_id in dict.fromkeys(ids) if run_id is not None]


def _excluded(facts: Facts, ids: Collection[str]) -> list[int]:
    return [request for request in sorted(facts.exclusions) if not facts.exclusions[request].ids.isdisjoint(ids)]


def _is_under_way(facts: Facts, request: int) -> bool:
    """Whether an earlier step of the request's servers is not over: what becomes of them is not known yet."""
    return facts.requests.entries[request].step > 0 and facts.waits_for_step(request)
