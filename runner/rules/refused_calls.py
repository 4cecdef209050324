"""Whether a credential that the service refused may be tried again, by what is known of it to all processes.

Accounts get locked after about five refused signatures in a row (api-facts 3.2), whoever made them: the lanes of a run, a
resume of it, another run beside it. So there is one count for all of them, and while there is doubt one call at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from runner.rules.refusals import UNAUTHENTICATED_LIMIT

# How long after the last of as many refused calls as may be one more is made, seconds; after each of those twice as long.
PROBE_AFTER_S = 900.0
LONGEST_WAIT_S = 86_400.0
# How often to look whether the call that another process makes is over, seconds.
LOOK_S = 0.25
# No call takes longer, seconds: what is noted as still under way later was noted by a clock that was wrong.
_LONGEST_TURN_S = 3600.0
_SHOWN = "%Y-%m-%d %H:%M:%S UTC"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls are made as. By `name` refused ones are counted; another `secret` is a reason to try once more.

    Both are kept as keyed hashes only, see `runner.engine.refusals`. `words` is what a person calls it. Up to `limit`
    calls in a row may be refused. What it proves itself with `is_renewed` by the runner: one that is refused may be old.
    """

    name: str = field(repr=False)
    secret: str = field(default="", repr=False)
    words: str = "the access key"
    limit: int = UNAUTHENTICATED_LIMIT
    is_renewed: bool = False


class RefusedCalls(NamedTuple):
    """What was refused of one identity since a call of it last worked. Times are epoch seconds by the wall clock.

    Those that came together count once in `in_a_row`, and each in `in_all`. `secret` is what tells the secret of the last
    one from others. `turn` is who makes a call now, which nobody waits for after `turn_until`.
    """

    in_a_row: int = 0
    in_all: int = 0
    since: float = 0.0
    last_at: float = 0.0
    secret: str = ""
    turn: str = ""
    turn_until: float = 0.0


class Asker(NamedTuple):
    """Who would make a call: with which secret, and how many refused ones there may be. `insists`: a person wants it."""

    name: str
    secret: str
    limit: int = UNAUTHENTICATED_LIMIT
    insists: bool = False


def next_call_in(known: RefusedCalls, asker: Asker, now: float) -> float | None:
    """In how many seconds to look again whether a call may be made; 0: it may be made now, alone; None: not soon."""
    is_spent = known.in_a_row >= asker.limit and known.secret == asker.secret and not asker.insists
    # A clock that was set back since may be what was wrong.
    if is_spent and 0 <= now - known.last_at < _wait_s(known, asker.limit):
        return None
    if known.turn not in {"", asker.name} and 0 <= known.turn_until - now <= _LONGEST_TURN_S:
        return LOOK_S
    return 0.0


def after_refusal(known: RefusedCalls, asker: Asker, now: float, calls: int = 1) -> RefusedCalls:
    """What is known after a refused call, and so many in all of which nobody was told before."""
    return RefusedCalls(
        known.in_a_row + 1,
        known.in_all + calls,
        known.since if known.in_a_row else now,
        now,
        asker.secret,
        *(("", 0.0) if known.turn == asker.name else (known.turn, known.turn_until)),
    )


def after_giving_back(known: RefusedCalls, asker: Asker) -> RefusedCalls:
    """What is known after a call that told nothing."""
    return known._replace(turn="", turn_until=0.0) if known.turn == asker.name else known


def in_words(known: RefusedCalls, identity: Identity) -> str:
    """What a person should know of it: how often, since when, what follows, and what to do."""
    in_all = f" ({known.in_all:,} calls in all)" if known.in_all > known.in_a_row else ""
    until = known.last_at + _wait_s(known, identity.limit)
    return (
        f"the service refused {identity.words} {_times(known.in_a_row)} in a row{in_all}, first at {_shown(known.since)}. "
        f"Accounts are locked after about five, so it is not tried again before {_shown(until)}: give another one, or mend "
        "it; --try-credential makes one call sooner"
    )


def _wait_s(known: RefusedCalls, limit: int) -> float:
    return min(LONGEST_WAIT_S, PROBE_AFTER_S * 2.0 ** min(max(0, known.in_a_row - limit), 16))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _shown(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime(_SHOWN)
