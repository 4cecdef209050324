"""What it changes that a request is split in two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.model import Outcome
from runner.rules.outcomes import Outcomes
from runner.run.closing import add_request
from runner.run.facts import set_phase
from runner.run.impossible import impossible
from runner.run.phases import Phase

if TYPE_CHECKING:
    from runner.run import events as e
    from runner.run.facts import Facts
    from runner.run.waves import RolloutFacts


def split(facts: Facts, event: e.Split) -> None:
    """Two pieces take the request's place, and stand where it stood."""
    request = event.request
    entry, before = facts.requests.entries[request], facts.phases[request]
    if not entry.start < event.cut < entry.stop:
        raise impossible(
            event, f"request {request} has servers {entry.start} to {entry.stop}, and is cut at {event.cut}"
        )
    if before is Phase.EXCLUDED:
        _split_excluded(facts, event)
        return
    pieces = _pieces(facts, event, Phase.BLOCKED if before is Phase.BLOCKED else Phase.READY)
    for piece in pieces if request in facts.suspected else ():
        facts.suspected.add(piece)
    facts.suspected.discard(request)
    for dependent in facts.dependents[request] if facts.dependents else ():
        _waits_for_one_more(facts, dependent)
    facts.retry_at.pop(request, None)
    facts.lane_of(request).unsubmitted += 1
    if facts.rollout is not None:
        _split_in_wave(facts, facts.rollout, request, pieces)


def _pieces(facts: Facts, event: e.Split, phase: Phase) -> tuple[int, int]:
    request = event.request
    pieces = facts.requests.split(request, event.cut)
    dependents = facts.dependents[request] if facts.dependents else []
    for _ in pieces:
        add_request(facts, phase, facts.blocked_by[request], list(dependents))
    set_phase(facts, request, Phase.SPLIT)
    return pieces


def _split_excluded(facts: Facts, event: e.Split) -> None:
    """The list shows a job of a piece of a request that was excluded: the lost end of the journal told of the split.

    Both pieces are excluded as it was, so that nothing waits for them, and nothing is counted anew.
    """
    request = event.request
    if facts.exclusions[request].is_sure:
        raise impossible(event, f"request {request} is EXCLUDED, and nothing of it was sent")
    exclusion = facts.exclusions.pop(request)
    del facts.outcomes[request]
    outcome = Outcome.EXCLUDED if exclusion.who else Outcome.NOT_STARTED
    for piece in _pieces(facts, event, Phase.EXCLUDED):
        ids = exclusion.ids.intersection(server.id for server in facts.requests.servers_of(piece))
        facts.exclusions[piece] = exclusion._replace(ids=ids)
        facts.outcomes[piece] = Outcomes.all(outcome, len(ids))
    facts.lane_of(request).excluded += 1
    if facts.rollout is not None:
        facts.rollout.waves[facts.requests.entries[request].wave].excluded += 1


def _waits_for_one_more(facts: Facts, request: int) -> None:
    facts.blocked_by[request] += 1
    for piece in facts.requests.pieces.get(request, ()):
        _waits_for_one_more(facts, piece)


def _split_in_wave(facts: Facts, rollout: RolloutFacts, request: int, pieces: tuple[int, int]) -> None:
    wave = rollout.waves[facts.requests.entries[request].wave]
    if facts.is_main(request):
        wave.left += 1
    elif facts.phases[pieces[0]] is not Phase.BLOCKED:
        wave.check_left += 1
