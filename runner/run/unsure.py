"""The servers on which a job of a run may be at work, or come to be: the run holds them when its process ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.model import Outcome
from runner.run.by_request import RequestState, by_request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runner.model import Server
    from runner.run.by_request import RequestStanding
    from runner.run.facts import Facts

UNSURE = frozenset({Outcome.UNKNOWN, Outcome.TIMED_OUT})
"""How a server came out whose job was not seen to end."""

_ALL_OF = frozenset({RequestState.IN_DOUBT, RequestState.ACCEPTED, RequestState.GIVEN_UP, RequestState.CONFLICT})


def unsure_requests(
    facts: Facts, every: Iterable[RequestStanding] | None = None
) -> Iterator[tuple[int, Sequence[Server]]]:
    """The requests that a job may be at work for, each with the servers that it may be at work on.

    Those in flight or in doubt, given up, with more jobs than their own, or whose job was not seen to end. `every` are the
    standings of the run where they are at hand.
    """
    for standing in by_request(facts) if every is None else every:
        request, outcomes = standing.request, standing.outcomes
        if standing.state in _ALL_OF:
            was_split = request in facts.requests.pieces  # then its servers are those of its pieces, too
            yield request, facts.requests.servers_of(request) if was_split else standing.servers
        elif standing.state is RequestState.SETTLED and any(map(outcomes.count, UNSURE)):
            pairs = zip(standing.servers, outcomes, strict=True)
            yield request, [server for server, outcome in pairs if outcome in UNSURE]
