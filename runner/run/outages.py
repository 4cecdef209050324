"""What comes of calls that fail for too long."""

from __future__ import annotations

from enum import StrEnum


class AfterThat(StrEnum):
    """What happens when calls have failed for as long as that is waited for."""

    LANE_STOPS = "lane_stops"
    GIVEN_UP = "given_up"  # a request in doubt
    TIMED_OUT = "timed_out"  # the servers of a job
