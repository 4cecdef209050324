from __future__ import annotations

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
