"""How the rate of a lane follows what the service says of it: obey a named limit, else halve, then creep back.

The facts are few (api-facts 5): a limit and its period may stand in the message, refused calls may count too, nobody
promises a Retry-After. Times are monotonic seconds, given by the caller; rates are requests per second.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.rules.answers import Throttle

# What a lane without a limit of its own keeps to once the service has throttled it: the gateway's default (api-facts 5).
_GATEWAY_RATE = 200.0
_LOWEST_RATE = 1 / 60
# Below a named limit by this much: one request more than the limit fits into a window whose ends are counted by the
# arrival of requests, which the network moves about.
_NAMED_SHARE = 0.95
LONGEST_PAUSE_S = 300.0
"""For how long a lane waits where it is not told otherwise, seconds."""
# Where the service says nothing: advised to be 2 to 5 seconds (api-facts 5).
_PAUSE_S = 2.0
# Share of the configured rate regained per second.
_CREEP = 0.01


@dataclass(frozen=True, slots=True)
class Throttling:
    """What a lane knows of the service's limits. `configured` is its own rate; None: no limit.

    `named` is the lowest rate that the service named. `slowed_to` is the rate set at the last throttled answer that
    counted, at the time `at`; it rises from `rises_from` on. A whole window is waited out, for nobody says when it began; of
    one that is longer than `longest_pause_s` only so much: then the service is asked again.
    """

    configured: float | None
    named: float | None = None
    slowed_to: float | None = None
    at: float = 0.0
    rises_from: float = 0.0
    longest_pause_s: float = LONGEST_PAUSE_S

    @property
    def is_throttled(self) -> bool:
        """Whether the service ever throttled the lane."""
        return self.slowed_to is not None

    @property
    def ceiling(self) -> float:
        """The rate that the lane creeps back to."""
        configured = self.configured or _GATEWAY_RATE
        return configured if self.named is None else min(configured, self.named)


def rate_at(state: Throttling, now: float) -> float | None:
    """The rate to keep at `now`; None: no limit. Never above the configured rate nor the named one, never zero."""
    if state.slowed_to is None:
        return state.configured
    regained = (state.configured or _GATEWAY_RATE) * _CREEP * max(0.0, now - state.rises_from)
    return min(state.slowed_to + regained, state.ceiling)


def throttled(state: Throttling, throttle: Throttle, now: float, sent_at: float) -> tuple[Throttling, float]:
    """Take in a throttled answer, received at `now`, to a request sent at `sent_at`; return how long to pause, seconds.

    Of the requests that were in flight together only the first to be throttled halves the rate: the others were sent
    before that could help. What the service names is obeyed whichever answer says it.
    """
    pause_s = _pause(throttle, state.longest_pause_s)
    before = rate_at(state, now)
    state = replace(state, named=_lower(state.named, _named(throttle)), rises_from=max(state.rises_from, now + pause_s))
    if state.slowed_to is None or sent_at > state.at:
        state = replace(state, slowed_to=_slower(before, state.ceiling), at=now)
    return state, pause_s


def _slower(before: float | None, ceiling: float) -> float:
    """The ceiling where a limit was named just now that is lower than the rate kept so far; else half that rate."""
    if before is not None and before > ceiling:
        return ceiling
    return max(min(before or ceiling, ceiling) / 2, min(_LOWEST_RATE, ceiling))


def _named(throttle: Throttle) -> float | None:
    if not throttle.limit or not throttle.period_s or throttle.limit < 0 or throttle.period_s < 0:
        return None
    return _NAMED_SHARE * throttle.limit / throttle.period_s


def _lower(one: float | None, other: float | None) -> float | None:
    return min((rate for rate in (one, other) if rate is not None), default=None)


def _pause(throttle: Throttle, longest_s: float) -> float:
    window_s = 0.0 if _named(throttle) is None else throttle.period_s or 0.0
    return min(max(window_s, throttle.retry_after_s or 0.0) or _PAUSE_S, longest_s)


@dataclass(frozen=True, slots=True)
class TooLong:
    """The service wants to be left alone for longer than a lane waits: `in_s` seconds, or nobody knows how long.

    `is_limit`: it may be sooner. `quota` as in `Throttle`.
    """

    in_s: float | None
    quota: bool
    is_limit: bool = False


def too_long(throttle: Throttle, longest_pause_s: float) -> TooLong | None:
    """Whether it makes no sense to wait for what a throttled answer asks for. A spent quota is not waited for at all."""
    after_s = throttle.retry_after_s
    if throttle.quota:
        return TooLong(after_s or throttle.period_s, quota=True, is_limit=not after_s)
    return TooLong(after_s, quota=False) if after_s is not None and after_s > longest_pause_s else None
