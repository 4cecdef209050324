"""Where a request stands."""

from __future__ import annotations

from enum import IntEnum


class Phase(IntEnum):
    """Where a request stands. Numbers, so that those of a whole fleet are compared fast; their order means nothing."""

    BLOCKED = 0  # its wave, or its check, has not begun, or its servers are not through the step before
    READY = 1
    RETRY = 2  # refused; may be sent again at a time
    SENT = 3  # intended, no answer yet
    IN_DOUBT = 4
    OPEN = 5  # accepted, its job not over
    SETTLED = 6
    REFUSED = 7  # for good
    GIVEN_UP = 8  # could not be settled: its servers are unknown
    VOID = 9  # none of its servers got through the step before; or it is of a check, and another run has them
    SPLIT = 10  # its pieces stand in its place
    CONFLICT = 11  # jobs of its name that cannot all be its own
    EXCLUDED = 12  # withdrawn before it was sent

    # That of enumerations is Python code, and phases are looked up at every event.
    __hash__ = int.__hash__

    @property
    def is_over(self) -> bool:
        """Whether nothing will become of the request any more."""
        return self in OVER


UNSENT = frozenset({Phase.BLOCKED, Phase.READY, Phase.RETRY})
IN_FLIGHT = frozenset({Phase.SENT, Phase.IN_DOUBT, Phase.OPEN})
OVER = frozenset(Phase) - UNSENT - IN_FLIGHT
