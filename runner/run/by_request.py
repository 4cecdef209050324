"""How each request and each server stands: what reports, lists and summaries all say, from the facts alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from runner.model import Outcome
from runner.rules.outcomes import Outcomes
from runner.run.phases import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runner.model import Server
    from runner.run.facts import Facts


class RequestState(StrEnum):
    """Where a request stands in a report."""

    PLANNED = "planned"  # never sent, or refused and not sent again
    IN_DOUBT = "in_doubt"
    ACCEPTED = "accepted"  # its job is at work, as far as is known
    SETTLED = "settled"
    REFUSED = "refused"
    GIVEN_UP = "given_up"
    CONFLICT = "conflict"
    VOID = "void"  # none of its servers got through the step before
    WITHDRAWN = "withdrawn"  # its servers were excluded


_STATES = {
    Phase.BLOCKED: RequestState.PLANNED,
    Phase.READY: RequestState.PLANNED,
    Phase.RETRY: RequestState.PLANNED,
    Phase.SENT: RequestState.IN_DOUBT,
    Phase.IN_DOUBT: RequestState.IN_DOUBT,
    Phase.OPEN: RequestState.ACCEPTED,
    Phase.SETTLED: RequestState.SETTLED,
    Phase.REFUSED: RequestState.REFUSED,
    Phase.GIVEN_UP: RequestState.GIVEN_UP,
    Phase.VOID: RequestState.VOID,
    Phase.SPLIT: RequestState.PLANNED,
    Phase.CONFLICT: RequestState.CONFLICT,
    Phase.EXCLUDED: RequestState.WITHDRAWN,
}
_LOOKS_UNSENT = frozenset({RequestState.PLANNED, RequestState.WITHDRAWN})
_NOT_SENT = frozenset({RequestState.PLANNED, RequestState.REFUSED, RequestState.WITHDRAWN, RequestState.VOID})


def request_state(facts: Facts, request: int) -> RequestState:
    """Where the request stands. One with more jobs than its own is in conflict, whatever else became of it.

    What nobody could look for after a crash is in doubt.
    """
    if request in facts.conflict_jobs:
        return RequestState.CONFLICT
    if request in facts.suspected and facts.phases[request] is Phase.BLOCKED:
        return RequestState.IN_DOUBT
    state = _STATES[facts.phases[request]]
    if state in _LOOKS_UNSENT and not facts.is_surely_unsent(request):
        return RequestState.IN_DOUBT
    return state


class RequestStanding(NamedTuple):
    """One request with the servers it is for, and how each of them stands: an outcome so far, or in the end."""

    request: int
    state: RequestState
    servers: Sequence[Server]
    outcomes: Outcomes


def by_request(facts: Facts) -> Iterator[RequestStanding]:
    """Every request but those that were split, and those of checks that were never made; earlier steps come first.

    A server that is not through a step is not among those of the next, so that each counts once.
    """
    entries = facts.requests.entries
    shown = list(range(len(entries)))
    if facts.rollout is not None or facts.requests.pieces:
        shown = [request for request in shown if _is_shown(facts, request)]
    if len(facts.plan.steps) > 1:
        shown.sort(key=lambda request: entries[request].step)
    behind: list[set[str]] = [set() for _ in facts.plan.groups]
    for request in shown:
        standing = _standing(facts, request, behind[entries[request].group])
        yield standing
        if facts.is_main(request) and entries[request].step < len(facts.plan.steps) - 1:
            pairs = zip(standing.servers, standing.outcomes, strict=True)
            ids = (server.id for server, outcome in pairs if outcome is not Outcome.SUCCEEDED)
            behind[entries[request].group].update(ids)


def _is_shown(facts: Facts, request: int) -> bool:
    if request in facts.requests.pieces:
        return request in facts.conflict_jobs  # its servers are those of its pieces
    if facts.is_main(request) or facts.sent[request] > 0:
        return True
    return request_state(facts, request) not in {RequestState.PLANNED, RequestState.VOID}


def _standing(facts: Facts, request: int, behind: set[str]) -> RequestStanding:
    servers = _servers_left(facts, request, behind)
    state = request_state(facts, request)
    if not servers and state is RequestState.PLANNED:
        state = RequestState.VOID
    if facts.phases[request] is Phase.SETTLED and servers:
        return RequestStanding(request, state, servers, facts.outcomes[request])
    return RequestStanding(request, state, servers, Outcomes.all(_outcome(facts, request, state), len(servers)))


def _servers_left(facts: Facts, request: int, behind: set[str]) -> Sequence[Server]:
    if request in facts.checked:
        return facts.checked[request]
    servers = () if request in facts.requests.pieces else facts.requests.servers_of(request)
    if not facts.requests.entries[request].step or not behind or facts.requests.is_follow_up(request):
        return servers
    return [server for server in servers if server.id not in behind]


def _outcome(facts: Facts, request: int, state: RequestState) -> Outcome:
    """The outcome of servers where no job tells."""
    if state is RequestState.WITHDRAWN and facts.exclusions[request].who:
        return Outcome.EXCLUDED
    return Outcome.NOT_STARTED if state in _NOT_SENT else Outcome.UNKNOWN


@dataclass(frozen=True, slots=True)
class Tally:
    """Servers by outcome, for each group and each wave.

    `at_work` are those whose job is, `waves_at_work` those of each wave: they count as unknown, and are not abnormal yet.
    `not_reached` are those that the run did not come to, so far or at all: they count as not started.
    """

    groups: list[Counter[Outcome]]
    waves: list[Counter[Outcome]]
    at_work: int
    waves_at_work: list[int]
    not_reached: int
    waves_not_reached: list[int]

    @property
    def counts(self) -> Counter[Outcome]:
        """Those of the whole campaign."""
        return sum(self.groups, Counter())


def tally(facts: Facts, every: Iterable[RequestStanding]) -> Tally:
    """Count servers by `every` standing of a run. Jobs of checks, and after failures, are no outcomes of servers."""
    rollout = facts.plan.rollout
    groups: list[Counter[Outcome]] = [Counter() for _ in facts.plan.groups]
    waves: list[Counter[Outcome]] = [Counter() for _ in rollout.waves] if rollout else []
    places = {RequestState.ACCEPTED: [0] * len(waves), RequestState.PLANNED: [0] * len(waves)}
    totals: Counter[RequestState] = Counter()
    for standing in every:
        if not facts.is_main(standing.request):
            continue
        entry = facts.requests.entries[standing.request]
        is_last_step = entry.step == facts.plan.main_steps - 1
        standing.outcomes.add_to(groups[entry.group], is_last_step=is_last_step)
        if waves:
            standing.outcomes.add_to(waves[entry.wave], is_last_step=is_last_step)
        if standing.state in places:
            totals[standing.state] += len(standing.servers)
            if waves:
                places[standing.state][entry.wave] += len(standing.servers)
    at_work, not_reached = RequestState.ACCEPTED, RequestState.PLANNED
    return Tally(groups, waves, totals[at_work], places[at_work], totals[not_reached], places[not_reached])


def counts_by_name(counts: Counter[Outcome]) -> dict[str, int]:
    """Counts as reports and lists have them: all servers, then every outcome."""
    return {"servers": sum(counts.values()), **{outcome.value: counts[outcome] for outcome in Outcome}}
