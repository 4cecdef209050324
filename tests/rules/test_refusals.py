"""What follows from a refusal, cause by cause."""

from __future__ import annotations

import pytest

from runner.rules.answers import Cause
from runner.rules.refusals import UNAUTHENTICATED_LIMIT, lane_stops, retry_at


def again(cause: Cause, *, attempts: int = 1, jitter: float = 0.5) -> float:
    """In how many seconds a request is sent again; a jitter of a half leaves the delay as it is."""
    return retry_at(cause, attempts=attempts, now=1000.0, jitter=jitter) - 1000.0


def stops(cause: Cause, *, outage_s: float = 0.0, in_a_row: int = 0) -> bool:
    return lane_stops(cause, outage_s=outage_s, patience_s=1800.0, unauthenticated_in_a_row=in_a_row)


def test_what_a_lane_cannot_send_is_sent_once_it_can() -> None:
    assert again(Cause.UNUSABLE, attempts=9) == 0.0


def test_delays_double_up_to_a_minute() -> None:
    delays = [again(Cause.UNAUTHENTICATED, attempts=attempts) for attempts in (1, 2, 3, 4, 5, 6, 7, 8, 50, 5000)]
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]


@pytest.mark.parametrize(
    ("outage_s", "pause_s"), [(0.0, 1.0), (4.0, 1.0), (20.0, 5.0), (160.0, 40.0), (161.0, 40.0), (1e6, 40.0)]
)
def test_the_longer_nobody_is_there_the_longer_the_pauses_up_to_a_minute_with_chance(
    outage_s: float, pause_s: float
) -> None:
    for jitter in (0.0, 0.5, 1.0):
        at = retry_at(Cause.UNREACHABLE, attempts=1, now=1000.0, jitter=jitter, outage_s=outage_s)
        assert at == 1000.0 + pause_s * (0.5 + jitter)


def test_chance_spreads_a_delay_from_half_to_one_and_a_half() -> None:
    assert [again(Cause.UNAUTHENTICATED, attempts=3, jitter=jitter) for jitter in (0.0, 1.0)] == [2.0, 6.0]


def test_a_few_wrong_credentials_in_a_row_stop_a_lane_well_before_the_account_is_locked() -> None:
    """Accounts are locked after more than five (api-facts 3.2)."""
    assert [stops(Cause.UNAUTHENTICATED, in_a_row=in_a_row) for in_a_row in range(1, 5)] == [False, False, True, True]
    assert UNAUTHENTICATED_LIMIT == 3


def test_nobody_there_stops_a_lane_once_that_lasted_for_too_long() -> None:
    assert not stops(Cause.UNREACHABLE, outage_s=1799.0)
    assert stops(Cause.UNREACHABLE, outage_s=1800.0)


def test_a_lane_stops_at_once_where_no_request_can_succeed_and_never_for_one_request() -> None:
    assert stops(Cause.UNUSABLE)
    assert not any(stops(cause, outage_s=1e9, in_a_row=99) for cause in (Cause.BUSY, Cause.INVALID, Cause.THROTTLED))
