"""How a lane's rate follows what the service says of its limits. Times are monotonic seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.campaign.answers import Throttle

# Where nothing was configured and the service does not say: a careful start.
_UNCONFIGURED_RATE = 10.0
_LOWEST_RATE = 1 / 60
_CREEP_SHARE = 0.01  # of the configured rate, added each second
_DEFAULT_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Throttling:
    """The rate of a lane: as configured (None: no limit), less what throttling took.

    `rate` was true at `since`. `named` is a limit that the service named: it is kept, and never crept above.
    """

    configured: float | None
    rate: float | None = None
    since: float = 0.0
    named: float | None = None

    @property
    def is_throttled(self) -> bool:
        """Whether the service ever asked for less."""
        return self.rate is not None


def rate_at(state: Throttling, now: float) -> float | None:
    """Calls per second that are right at `now`; None: no limit."""
    if state.rate is None:
        return state.configured
    ceiling = _ceiling(state)
    if ceiling is None:
        ceiling = state.rate * 2 + _UNCONFIGURED_RATE * max(0.0, now - state.since)
    crept = state.rate + _CREEP_SHARE * ceiling * max(0.0, now - state.since)
    return min(ceiling, crept)


def throttled(state: Throttling, throttle: Throttle, *, now: float, sent_at: float) -> tuple[Throttling, float]:
    """What follows from one throttled answer to a call sent at `sent_at`, and how long to pause, seconds.

    Many calls may be under way when the service says no: only the first of their answers changes the rate.
    """
    pause_s = throttle.retry_after_s if throttle.retry_after_s is not None else _DEFAULT_PAUSE_S
    if throttle.limit and throttle.period_s:
        # Refused calls count too, so the rest of the service's window is lost: wait it out, then keep to the limit.
        named = throttle.limit / throttle.period_s
        pause_s = max(pause_s, throttle.period_s) if state.named != named or sent_at >= state.since else pause_s
        return replace(state, rate=named, since=now, named=named), pause_s
    if state.is_throttled and sent_at < state.since:
        return state, max(0.0, pause_s - (now - state.since))
    rate = rate_at(state, now) or _UNCONFIGURED_RATE
    return replace(state, rate=max(_LOWEST_RATE, rate / 2), since=now), pause_s


def _ceiling(state: Throttling) -> float | None:
    known = [rate for rate in (state.configured, state.named) if rate is not None]
    return min(known, default=None)
