"""A rollout whose limits leave room for next to nothing: that is said, and a person may have to decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.plan.estimate import duration_text
from runner.rules.crawl import Crawl, crawl, narrow_room
from runner.run import events as e
from runner.run.facts import StopRule

if TYPE_CHECKING:
    from runner.rules.budget import Cell
    from runner.run.facts import Facts
    from runner.run.waves import RolloutFacts


def crawl_event(facts: Facts, rollout: RolloutFacts, now: float) -> e.Crawls | e.Held | None:
    """What is to be said, or asked, of the wave at work; None: nothing. Each narrowing is said once."""
    found = _narrowest(facts, rollout)
    if found is None:
        return None
    cell, slow = found
    said, limit = rollout.crawl, cell.limit
    if said is None or slow.room < said.room:
        return e.Crawls(now, limit.name, limit.scope, slow.room, slow.servers, slow.takes_s)
    if rollout.rules.on_breach != "hold_early" or said.is_answered:
        return None
    reason = crawl_text(limit.name, limit.scope, slow)
    used = cell.spent + cell.in_flight
    return e.Held(now, StopRule.CRAWL, reason, limit.name, limit.scope, used, cell.most)


def crawl_of(event: e.Crawls) -> Crawl:
    """What an event tells of."""
    return Crawl(event.room, event.left, event.takes_s)


def crawl_text(limit: str, scope: str, slow: Crawl) -> str:
    """In words, with the time it will take."""
    of = "" if scope == "campaign" else f" of {scope}"
    at_once = f"{slow.room:,} server{'s' * (slow.room > 1)} at a time"
    return f"{limit}{of} leaves room for {at_once}: {slow.servers:,} are left, about {duration_text(slow.takes_s)}"


def _narrowest(facts: Facts, rollout: RolloutFacts) -> tuple[Cell, Crawl] | None:
    """The limit for all servers that the rest would crawl through for the longest time."""
    at_once = facts.concurrency * len(facts.lanes) * rollout.largest
    # Asked after every event, and as a rule there is none: so first what costs least.
    most = narrow_room(at_once)
    narrow = [cell for cell in rollout.ledger.for_all(rollout.current) if 0 < cell.most - cell.spent <= most]
    if not narrow:
        return None
    left = rollout.servers - sum(facts.counts.values()) - rollout.ledger.in_flight
    expected_s = sum(map(rollout.expected_s, range(rollout.rules.main_steps)))
    slow = [
        (cell, found) for cell in narrow if (found := crawl(cell.room_for_good, left, at_once, expected_s)) is not None
    ]
    return max(slow, key=lambda pair: pair[1].takes_s, default=None)
