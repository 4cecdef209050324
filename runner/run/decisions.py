"""What a lane does next, as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Send:
    """Send this request."""

    request: int


@dataclass(frozen=True, slots=True)
class SplitUp:
    """Put two pieces in the place of this request; `cut` is where the second one begins."""

    request: int
    cut: int


@dataclass(frozen=True, slots=True)
class LeaveOut:
    """Withdraw this request, and say why: another run of the family has its servers, or none of them is left."""

    request: int
    why: str


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Nothing to send before `at` (epoch seconds) or the next event."""

    at: float


@dataclass(frozen=True, slots=True)
class WaitForEvent:
    """Nothing to send before the next event."""


@dataclass(frozen=True, slots=True)
class AllSubmitted:
    """Nothing will be sent on this lane any more."""


Move = Send | SplitUp | LeaveOut
Decision = Move | WaitUntil | WaitForEvent | AllSubmitted
