"""How fast requests went out, as facts keep it: how a lane was throttled last, and since when nothing stood still."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from runner.rules.answers import ServiceError


class Slowed(NamedTuple):
    """The service refused a request for its rate limit: nothing is sent before `until`, and at `rate` a second after."""

    at: float
    until: float
    rate: float | None
    error: ServiceError


class Stretch(NamedTuple):
    """From when on requests are let out without a break, and how many servers were started before."""

    since: float
    started: int
