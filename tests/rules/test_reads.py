from __future__ import annotations

from itertools import cycle, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.rules.answers import Cause, ReadFailed, ServiceError
from runner.rules.reads import (
    MISSING_READS,
    AfterFailure,
    Gone,
    ReadAgain,
    ReadHistory,
    ReadLimits,
    StopLane,
    Unreadable,
    after_failure,
)
from runner.rules.refusals import UNAUTHENTICATED_LIMIT

ERROR = ServiceError(None, None, "as told", None)
BROKEN = ReadFailed(Cause.BUSY, ERROR)
MISSING = ReadFailed(Cause.INVALID, ERROR, missing=True)
THROTTLED = ReadFailed(Cause.THROTTLED, ERROR)
UNAUTHENTICATED = ReadFailed(Cause.UNAUTHENTICATED, ERROR)

failures = st.sampled_from([BROKEN, MISSING, THROTTLED, UNAUTHENTICATED, ReadFailed(Cause.UNREACHABLE, ERROR)])
limits = st.builds(
    ReadLimits, st.integers(1, 10), st.floats(0, 3000), st.floats(0, 9000), st.floats(0, 300), st.floats(0.1, 60)
)


def row(reads: list[tuple[float, ReadFailed]], limits: ReadLimits) -> list[AfterFailure]:
    """What follows from each of failed reads at these times."""
    history, steps = ReadHistory(), []
    for at, failed in reads:
        history = history.after(failed, at)
        steps.append(after_failure(history, failed, limits, now=at, refused_in_a_row=0))
    return steps


def test_a_job_is_gone_after_three_reads_and_the_settle_time() -> None:
    limits = ReadLimits(settle_s=15.0)
    steps = row([(0.0, MISSING), (2.0, MISSING), (6.0, MISSING), (14.9, MISSING), (15.0, MISSING)], limits)
    assert steps[-1] == Gone()
    assert all(isinstance(step, ReadAgain) for step in steps[:-1])
    assert row([(0.0, MISSING), (60.0, MISSING)], limits)[-1] != Gone()


def test_what_is_broken_in_between_says_nothing_of_a_missing_job() -> None:
    reads = [(0.0, MISSING), (2.0, BROKEN), (4.0, MISSING), (6.0, BROKEN), (16.0, MISSING)]
    assert row(reads, ReadLimits(settle_s=15.0))[-1] == Gone()


def test_what_cannot_be_read_is_given_up_after_ten_minutes_and_three_reads() -> None:
    assert isinstance(row([(0.0, BROKEN), (1.0, BROKEN), (599.0, BROKEN)], ReadLimits())[-1], ReadAgain)
    assert row([(0.0, BROKEN), (1.0, BROKEN), (600.0, BROKEN)], ReadLimits())[-1] == Unreadable()
    assert isinstance(row([(0.0, BROKEN), (601.0, BROKEN)], ReadLimits())[-1], ReadAgain)


def test_a_job_is_not_given_up_before_it_is_late() -> None:
    reads = [(float(at), BROKEN) for at in range(0, 1800, 60)]
    assert all(isinstance(step, ReadAgain) for step in row(reads, ReadLimits(until=1800.0)))
    assert row([*reads, (1800.0, BROKEN)], ReadLimits(until=1800.0))[-1] == Unreadable()


def test_pauses_double_up_to_a_minute() -> None:
    steps = row([(0.0, BROKEN)] * 8, ReadLimits(pause_s=2.0))
    assert [step.at for step in steps if isinstance(step, ReadAgain)] == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


def test_a_throttled_read_is_left_to_the_pace() -> None:
    assert row([(5.0, THROTTLED)], ReadLimits()) == [ReadAgain(5.0)]


@pytest.mark.parametrize("failed", [BROKEN, UNAUTHENTICATED])
def test_only_a_refused_credential_stops_the_lane(failed: ReadFailed) -> None:
    history = ReadHistory().after(failed, 0.0)
    for refused in range(UNAUTHENTICATED_LIMIT + 2):
        step = after_failure(history, failed, ReadLimits(), now=0.0, refused_in_a_row=refused)
        stops = failed is UNAUTHENTICATED and refused >= UNAUTHENTICATED_LIMIT
        assert isinstance(step, StopLane) == stops


def test_a_read_that_was_incomplete_ends_a_row_of_failures_and_is_counted() -> None:
    history = ReadHistory().after(MISSING, 1.0).after_incomplete().after(BROKEN, 9.0)
    assert history == ReadHistory(failed=1, since=9.0, incomplete=1)
    assert history.after_incomplete().incomplete == 2


@given(limits, st.lists(failures, min_size=1, max_size=50))
def test_every_row_of_failures_ends_at_its_bound(limits: ReadLimits, kinds: list[ReadFailed]) -> None:
    """Whatever the failures are: read again when told to, none goes on for longer than the limits say."""
    now, history = 0.0, ReadHistory()
    for failed in islice(cycle(kinds), 10_000):
        history = history.after(failed, now)
        step = after_failure(history, failed, limits, now=now, refused_in_a_row=0)
        if not isinstance(step, ReadAgain):
            break
        assert step.at >= now
        now = max(step.at, now + 1.0)  # the pace of reads
    assert isinstance(step, Gone | Unreadable)
    longest_pause = max(60.0, limits.pause_s)
    assert now <= max(limits.over_s, limits.until) + longest_pause + limits.reads * longest_pause
    if isinstance(step, Gone):
        assert history.missing >= MISSING_READS
        assert now - history.missing_since >= limits.settle_s


@pytest.mark.parametrize("at", [0.0, 1000.0, 1_000_000.0])
def test_times_count_from_the_first_read_that_failed_whatever_the_time_of_day(at: float) -> None:
    three = [(at, BROKEN), (at + 1.0, BROKEN)]
    assert isinstance(row([*three, (at + 599.0, BROKEN)], ReadLimits())[-1], ReadAgain)
    assert row([*three, (at + 600.0, BROKEN)], ReadLimits())[-1] == Unreadable()
    two = [(at, MISSING), (at + 1.0, MISSING)]
    assert isinstance(row([*two, (at + 14.0, MISSING)], ReadLimits(settle_s=15.0))[-1], ReadAgain)
    assert row([*two, (at + 15.0, MISSING)], ReadLimits(settle_s=15.0))[-1] == Gone()


def test_unless_told_otherwise_a_missing_job_is_gone_with_the_third_read_and_the_first_pause_is_two_seconds() -> None:
    assert row([(5.0, MISSING)] * 3, ReadLimits())[-1] == Gone()
    assert row([(5.0, BROKEN)], ReadLimits()) == [ReadAgain(7.0)]
    assert row([(0.0, BROKEN)] * 3, ReadLimits(over_s=0.0))[-1] == Unreadable()


def test_of_what_was_never_read_nothing_failed() -> None:
    assert ReadHistory() == ReadHistory(failed=0, since=0.0, missing=0, missing_since=0.0, incomplete=0)
