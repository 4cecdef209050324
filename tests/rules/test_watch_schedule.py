from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.rules.durations import Durations
from runner.rules.watch_schedule import SCOUTS, WatchSchedule

AT = 5000.0  # jobs are accepted at some time of day, not at none


def schedule_of(*seen: float, steps: int = 1, timeout_s: float = 7200.0) -> WatchSchedule:
    """A schedule for steps whose jobs took so long so far, seconds."""
    durations = [Durations() for _ in range(steps)]
    for each in durations:
        for duration_s in seen:
            each.add(duration_s)
    return WatchSchedule(durations, timeout_s)


def reads_to_the_end(jobs: int, lasts: float, rate: float) -> float:
    """Watch jobs, submitted ten a second, with single reads at a rate; return the mean reads a job."""
    durations = [Durations()]
    schedule = WatchSchedule(durations, 7200)
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
                durations[0].add(lasts)
                left -= 1
            else:
                schedule.read_again(request, 0, accepted[request], now)
        now += 0.1
    return reads / jobs


def test_two_thousand_jobs_of_three_minutes_cost_less_than_three_reads_each() -> None:
    assert reads_to_the_end(2000, 180.0, rate=10) < 3


@given(st.floats(1, 3000), st.integers(1, 60))
def test_every_job_is_read_until_it_is_over(lasts: float, jobs: int) -> None:
    assert reads_to_the_end(jobs, lasts, rate=10) >= 1


def test_only_the_first_jobs_are_scouts() -> None:
    schedule = schedule_of()
    for request in range(50):
        schedule.opened(request, 0, 0.0)
    assert len(schedule.take_due(5.0, 100)) == SCOUTS


def test_what_scouts_learn_moves_every_job_not_read_yet() -> None:
    durations = [Durations()]
    schedule = WatchSchedule(durations, 7200)
    for request in range(50):
        schedule.opened(request, 0, 0.0)
    schedule.take_due(5.0, 100)
    for _ in range(100):
        durations[0].add(10.0)
    assert schedule.next_due() == 11.0
    assert len(schedule.take_due(11.0, 100)) == 50 - SCOUTS


def test_a_job_is_read_when_its_timeout_passes() -> None:
    schedule = schedule_of(1000.0, timeout_s=30.0)
    schedule.opened(0, 0, 0.0)
    assert schedule.next_due() == 30.0


def test_steps_learn_apart() -> None:
    durations = [Durations(), Durations()]
    schedule = WatchSchedule(durations, 7200)
    durations[0].add(10.0)
    durations[1].add(500.0)
    schedule.opened(1, 1, 0.0)
    schedule.opened(0, 0, 0.0)
    assert schedule.take_due(12.0, 9) == [0]


def due_again(age: float, *seen: float, timeout_s: float = 7200.0, is_scout: bool = True) -> float:
    """How long after a read that showed a job of this age still open it is read again, seconds."""
    schedule = schedule_of(timeout_s=timeout_s)
    for request in range(20):
        schedule.opened(request, 0, AT)
    schedule = schedule if not seen else schedule_of(*seen, timeout_s=timeout_s)
    request = 0 if is_scout else 19
    schedule.take_due(AT + 1e6, 99)
    schedule.read_again(request, 0, AT, AT + age)
    at = schedule.next_due()
    assert at is not None
    return at - (AT + age)


@pytest.mark.parametrize(("age", "again_s"), [(1.0, 1.0), (4.0, 2.0), (10.0, 5.0), (100.0, 50.0), (500.0, 120.0)])
def test_while_nothing_is_known_a_scout_is_read_when_it_is_half_as_old_again(age: float, again_s: float) -> None:
    assert due_again(age) == again_s


def test_while_nothing_is_known_another_is_read_first_after_a_minute() -> None:
    assert due_again(10.0, is_scout=False) == 50.0
    assert due_again(100.0, is_scout=False) == 50.0


SPREAD = [100.0 + each * 0.6 for each in range(101)]  # from 100 to 160: most within 54


@pytest.mark.parametrize(
    ("age", "again_s"),
    [
        (10.0, 103.0 + 18.0 - 10.0),  # when a third of the time is over in which most like it end
        (121.0, 18.0),  # a third later
        (157.0, 18.0),
        (257.0, 50.0),  # or half of what it is late by
        (1000.0, 120.0),  # and never less often than every two minutes
    ],
)
def test_a_job_is_read_three_times_while_most_like_it_end_and_now_and_then_when_it_is_late(
    age: float, again_s: float
) -> None:
    assert due_again(age, *SPREAD) == pytest.approx(again_s)


def test_of_a_few_jobs_little_is_concluded() -> None:
    assert due_again(10.0, 100.0) == 90.0 + 100.0 * 0.15 / 3
    assert due_again(10.0, *[100.0] * 100) == 90.0 + 1.0


def test_a_first_read_may_be_far_away() -> None:
    assert due_again(10.0, *[5000.0] * 100) == 4990.0 + 25.0


def test_a_job_that_times_out_is_read_then_and_once_a_second_after() -> None:
    assert due_again(20.0, 1000.0, timeout_s=60.0) == 40.0
    assert due_again(70.0, 1000.0, timeout_s=60.0) == 1.0


def test_each_job_is_due_by_its_own_age() -> None:
    schedule = schedule_of(*[9.0] * 100)
    for request in range(3):
        schedule.opened(request, 0, AT + 100.0 * request)
    assert schedule.next_due() == AT + 10.0
    assert schedule.take_due(AT + 115.0, 99) == [0, 1]
    assert schedule.next_due() == AT + 210.0


def test_a_job_whose_last_tasks_do_not_show_yet_is_read_twice_as_late_each_time() -> None:
    pauses = []
    for times in (1, 2, 3, 8, 50):
        schedule = schedule_of()
        schedule.soon(0, AT, times)
        pauses.append(round((schedule.next_due() or 0.0) - AT, 6))
    assert pauses == [0.3, 0.6, 1.2, 38.4, 120.0]


def test_the_first_eight_are_read_soon_one_after_the_other_and_the_others_after_a_minute_if_nothing_is_learned() -> (
    None
):
    schedule = schedule_of()
    for request in range(20):
        schedule.opened(request, 0, AT)
    assert schedule.next_due() == AT + 3.0
    assert schedule.take_due(AT + 2.9, 99) == []
    assert schedule.take_due(AT + 3.0, 99) == [0]
    assert schedule.take_due(AT + 4.0, 99) == [1, 2, 3, 4, 5]
    assert schedule.take_due(AT + 4.5, 99) == [6, 7]
    assert schedule.next_due() == AT + 60.0
    assert schedule.take_due(AT + 59.9, 99) == []
    assert schedule.take_due(AT + 60.0, 99) == list(range(8, 20))


def test_a_job_that_the_list_shows_is_read_when_it_should_long_be_over_and_at_its_timeout() -> None:
    schedule = schedule_of(*[100.0] * 100, timeout_s=300.0)
    schedule.opened(0, 0, AT)
    schedule.take_due(AT + 101.0, 1)
    schedule.postpone(0, 0, AT, AT + 101.0)
    assert schedule.next_due() == AT + 101.0 + 101.0
    assert not schedule.is_checked(0, 0, AT, AT + 112.4)
    assert schedule.is_checked(0, 0, AT, AT + 112.6)
    schedule.postpone(0, 0, AT, AT + 202.0)
    assert schedule.next_due() == AT + 300.0
    assert schedule.is_checked(0, 0, AT, AT + 300.0)


def test_where_nothing_is_known_only_scouts_are_read_to_check_the_list() -> None:
    schedule = schedule_of()
    for request in range(SCOUTS + 1):
        schedule.opened(request, 0, AT)
    assert [schedule.is_checked(request, 0, AT, AT + 60.0) for request in (0, SCOUTS)] == [True, False]
    assert not schedule.is_checked(0, 0, AT, AT + 59.0)


def test_what_was_said_last_of_a_job_counts_and_what_is_taken_is_not_due() -> None:
    schedule = schedule_of()
    for request in range(SCOUTS + 2):
        schedule.opened(request, 0, AT)
    schedule.read_at(0, AT + 500.0)
    schedule.read_at(SCOUTS, AT + 1.0)
    assert schedule.take_due(AT + 1.0, 99) == [SCOUTS]
    assert schedule.take(1)
    assert not schedule.take(1)
    assert schedule.take_due(AT + 60.0, 99) == [SCOUTS + 1, *range(2, SCOUTS)]
    assert schedule.next_due() == AT + 500.0


def test_what_is_learned_moves_jobs_that_are_not_due_and_what_is_due_stays_so() -> None:
    durations = [Durations()]
    schedule = WatchSchedule(durations, 7200.0)
    for request in range(4):
        schedule.opened(request, 0, AT)
    schedule.read_at(0, AT + 50.0)
    schedule.read_at(1, AT + 500.0)
    for _ in range(100):
        durations[0].add(200.0)
    for request in (0, 1, 7):
        schedule.plan_anew(request, 0, AT, AT + 60.0)
    assert 0 in schedule.take_due(AT + 60.0, 99)
    assert schedule.next_due() == AT + 201.0
    schedule.opened(9, 0, AT - 200.0)
    schedule.plan_anew(9, 0, AT - 200.0, AT + 100.0)
    assert 9 in schedule.take_due(AT + 100.0, 99)


def test_no_more_are_taken_than_asked_for_and_the_others_stay_due() -> None:
    schedule = schedule_of()
    for request in range(20):
        schedule.opened(request, 0, AT)
    assert [len(schedule.take_due(AT + 60.0, most)) for most in (0, 5, 5, 9, 9)] == [0, 5, 5, 9, 1]
    assert schedule.next_due() is None


def test_a_read_that_failed_is_made_again_when_told() -> None:
    schedule = schedule_of()
    schedule.read_at(3, AT)
    schedule.opened(4, 0, AT - 1.0)
    assert schedule.next_due() == AT
    assert (schedule.take_due(AT - 0.1, 9), schedule.take_due(AT, 9)) == ([], [3])
    assert schedule.next_due() == AT + 2.0
