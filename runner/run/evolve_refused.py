"""What a refusal changes: the request is sent again, or its servers are not started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.model import Outcome
from runner.rules.answers import Cause
from runner.rules.outcomes import Outcomes
from runner.run.closing import close
from runner.run.facts import Busy, set_phase
from runner.run.phases import Phase

if TYPE_CHECKING:
    from runner.run import events as e
    from runner.run.facts import Facts, LaneFacts

_OF_THE_REQUEST = frozenset({Cause.INVALID, Cause.BUSY})


def refused(facts: Facts, event: e.Refused) -> None:
    """The service certainly made nothing."""
    request, lane = event.request, facts.lane_of(event.request)
    facts.errors[request] = event.error
    lane.in_flight -= 1
    if event.cause is Cause.UNAUTHENTICATED:
        lane.unauthenticated_in_a_row += 1
        lane.proven = False
    if event.cause is Cause.UNREACHABLE:
        _unreachable(facts, lane, event)
    else:
        lane.unreachable_since = None
    if event.cause in _OF_THE_REQUEST:
        _of_the_request(facts, request)
    if event.cause is Cause.BUSY:
        facts.attempts[request] -= 1
        lane.ever_busy.add(request)
        lane.doubted_at = event.at
        _busy(facts, event)
    _may_go_later(facts, event)


def set_aside(facts: Facts, event: e.SetAside) -> None:
    """The rest of a request is sent without these servers."""
    facts.errors[event.request] = event.error
    if event.cause is Cause.BUSY:
        _busy(facts, event)
    _may_go_later(facts, event)


def _may_go_later(facts: Facts, event: e.Refused | e.SetAside) -> None:
    """The request is sent again, or it never is."""
    request = event.request
    if event.retry_at is not None:
        facts.retry_at[request] = event.retry_at
        set_phase(facts, request, Phase.RETRY)
        return
    facts.retry_at.pop(request, None)
    facts.busy.pop(request, None)
    facts.refused += 1
    facts.lane_of(request).unsubmitted -= 1
    close(facts, request, Phase.REFUSED, Outcomes.all(Outcome.NOT_STARTED, len(facts.servers_of(request))), event.at)


def _of_the_request(facts: Facts, request: int) -> None:
    """Refused for what it asks: once for each that asks for more than one server, however often it is asked."""
    entry = facts.requests.entries[request]
    if entry.stop - entry.start > 1 and request not in facts.busy:
        facts.lane_of(request).refused_in_a_row += 1


def _busy(facts: Facts, event: e.Refused | e.SetAside | e.InDoubt) -> None:
    """That servers are in another operation is no failed attempt: it is waited for."""
    before = facts.busy.get(event.request, Busy(event.at, 0))
    facts.busy[event.request] = before._replace(since=min(before.since, event.at), answers=before.answers + 1)


def _unreachable(facts: Facts, lane: LaneFacts, event: e.Refused) -> None:
    """Nothing reached the service, so it is no attempt, and says nothing of the request."""
    facts.attempts[event.request] -= 1
    lane.proven = False
    if lane.unreachable_since is None:
        lane.unreachable_since = event.at
    lane.try_again_at = event.at if event.retry_at is None else event.retry_at


def busy_in_doubt(facts: Facts, event: e.InDoubt) -> None:
    """Refused as busy, by a job of its own perhaps: that is looked up, and is no failed attempt."""
    facts.attempts[event.request] -= 1
    _of_the_request(facts, event.request)
    _busy(facts, event)
