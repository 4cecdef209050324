from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.rules.watch_schedule import SCOUTS, WatchSchedule


def reads_to_the_end(schedule: WatchSchedule, jobs: int, lasts: float, rate: float) -> float:
    """Watch jobs, submitted ten a second, with single reads at a rate; return the mean reads a job."""
    now, reads, left = 0.0, 0, jobs
    accepted = {request: request / 10 for request in range(jobs)}
    waiting = list(accepted)
    while left:
        while waiting and accepted[waiting[0]] <= now:
            schedule.opened(waiting[0], 0, accepted[waiting.pop(0)])
        for request in schedule.take_due(now, 10):
            reads += 1
            now += 1 / rate
            if now - accepted[request] >= lasts:
                schedule.learn(0, now - accepted[request])
                left -= 1
            else:
                schedule.read_again(request, 0, accepted[request], now)
        now += 0.1
    return reads / jobs


def test_two_thousand_jobs_of_three_minutes_cost_less_than_five_reads_each() -> None:
    assert reads_to_the_end(WatchSchedule(1, 7200), 2000, 180.0, rate=10) < 5


@given(st.floats(1, 3000), st.integers(1, 60))
def test_every_job_is_read_until_it_is_over(lasts: float, jobs: int) -> None:
    assert reads_to_the_end(WatchSchedule(1, 7200), jobs, lasts, rate=10) >= 1


def test_only_the_first_jobs_are_scouts() -> None:
    schedule = WatchSchedule(1, 7200)
    for request in range(50):
        schedule.opened(request, 0, 0.0)
    assert len(schedule.take_due(5.0, 100)) == SCOUTS


def test_what_scouts_learn_moves_every_job_not_read_yet() -> None:
    schedule = WatchSchedule(1, 7200)
    for request in range(50):
        schedule.opened(request, 0, 0.0)
    schedule.take_due(5.0, 100)
    schedule.learn(0, 10.0)
    assert schedule.next_due() == 11.0
    assert len(schedule.take_due(11.0, 100)) == 50 - SCOUTS


def test_a_job_is_read_when_its_timeout_passes() -> None:
    schedule = WatchSchedule(1, 30.0)
    schedule.learn(0, 1000.0)
    schedule.opened(0, 0, 0.0)
    assert schedule.next_due() == 30.0


def test_steps_learn_apart() -> None:
    schedule = WatchSchedule(2, 7200)
    schedule.learn(0, 10.0)
    schedule.learn(1, 500.0)
    schedule.opened(1, 1, 0.0)
    schedule.opened(0, 0, 0.0)
    assert schedule.take_due(11.0, 9) == [0]


AT = 5000.0  # jobs are accepted at some time of day, not at none


def due_again(age: float, *, typical: float | None = None, timeout_s: float = 7200.0) -> float:
    """How long after a read that showed a job of this age still open it is read again, seconds."""
    schedule = WatchSchedule(1, timeout_s)
    if typical is not None:
        schedule.learn(0, typical)
    schedule.read_again(0, 0, AT, AT + age)
    at = schedule.next_due()
    assert at is not None
    return at - (AT + age)


@pytest.mark.parametrize(("age", "again_s"), [(1.0, 2.0), (4.0, 2.0), (10.0, 5.0), (100.0, 50.0), (500.0, 120.0)])
def test_while_nothing_is_known_a_job_is_read_when_it_is_half_as_old_again(age: float, again_s: float) -> None:
    assert due_again(age) == again_s


@pytest.mark.parametrize(
    ("age", "again_s"),
    [
        (10.0, 91.0),  # right after most like it are over
        (99.5, 2.0),
        (100.0, 12.5),  # late: an eighth of what is usual
        (120.0, 12.5),
        (200.0, 50.0),  # or half of what it is late by
        (1000.0, 120.0),  # and never less often than every two minutes
    ],
)
def test_a_job_is_read_again_when_most_like_it_are_over_and_now_and_then_when_it_is_late(
    age: float, again_s: float
) -> None:
    assert due_again(age, typical=100.0) == again_s


def test_jobs_that_last_for_hours_are_read_every_two_minutes_and_short_ones_every_two_seconds() -> None:
    assert due_again(10.0, typical=5000.0) == 120.0
    assert due_again(3.0, typical=2.0) == 2.0


def test_a_job_that_times_out_is_read_then_and_once_a_second_after() -> None:
    assert due_again(20.0, typical=1000.0, timeout_s=60.0) == 40.0
    assert due_again(70.0, typical=1000.0, timeout_s=60.0) == 1.0


def test_what_is_usual_is_what_four_of_five_stay_within() -> None:
    schedule = WatchSchedule(1, 7200.0)
    for duration_s in range(1, 101):
        schedule.learn(0, float(duration_s))
    schedule.opened(0, 0, AT)
    assert schedule.next_due() == AT + 82.0
    schedule.take_due(AT + 82.0, 1)
    schedule.read_again(0, 0, AT, AT + 50.0)
    assert schedule.next_due() == AT + 50.0 + 32.0


def test_each_job_is_due_by_its_own_age() -> None:
    schedule = WatchSchedule(1, 7200.0)
    schedule.learn(0, 9.0)
    for request in range(3):
        schedule.opened(request, 0, AT + 100.0 * request)
    assert schedule.next_due() == AT + 10.0
    assert schedule.take_due(AT + 115.0, 99) == [0, 1]
    assert schedule.next_due() == AT + 210.0


def test_a_job_whose_last_tasks_do_not_show_yet_is_read_twice_as_late_each_time() -> None:
    pauses = []
    for times in (0, 1, 2, 7, 8, 50):
        schedule = WatchSchedule(1, 7200.0)
        schedule.soon(0, AT, times)
        pauses.append((schedule.next_due() or 0.0) - AT)
    assert pauses == [0.5, 1.0, 2.0, 64.0, 120.0, 120.0]


def test_the_first_eight_are_read_after_two_seconds_and_the_others_after_a_minute_if_nothing_is_learned() -> None:
    schedule = WatchSchedule(1, 7200.0)
    for request in range(20):
        schedule.opened(request, 0, AT)
    assert schedule.next_due() == AT + 2.0
    assert schedule.take_due(AT + 1.9, 99) == []
    assert schedule.take_due(AT + 2.0, 99) == list(range(8))
    assert schedule.next_due() == AT + 60.0
    assert schedule.take_due(AT + 59.9, 99) == []
    assert schedule.take_due(AT + 60.0, 99) == list(range(8, 20))


def test_no_more_are_taken_than_asked_for_and_the_others_stay_due() -> None:
    schedule = WatchSchedule(1, 7200.0)
    for request in range(20):
        schedule.opened(request, 0, AT)
    assert [len(schedule.take_due(AT + 60.0, most)) for most in (0, 5, 5, 9, 9)] == [0, 5, 5, 9, 1]
    assert schedule.next_due() is None


def test_a_read_that_failed_is_made_again_when_told() -> None:
    schedule = WatchSchedule(1, 7200.0)
    schedule.read_at(3, AT)
    schedule.opened(4, 0, AT - 1.0)
    assert schedule.next_due() == AT
    assert (schedule.take_due(AT - 0.1, 9), schedule.take_due(AT, 9)) == ([], [3])
    assert schedule.next_due() == AT + 1.0
