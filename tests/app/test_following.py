"""A run that another process is at work on, as whoever follows its journal sees it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.app.following import FollowedRun
from runner.app.process import this_host
from runner.model import Job
from runner.report.fold import fold
from runner.run import events as e
from runner.run.live import LiveRun
from runner.run.standing import RunPhase
from tests.app.past import Past, past_plan
from tests.driving import assert_same, assert_same_queues

_JOB = Job("job-0", None, None, None, None, None, None, None, None)
_ENTRIES: list[list[e.Event]] = [
    [e.Intended(1.0, 0), e.Intended(1.5, 1)],
    [e.Accepted(2.0, 0, _JOB), e.JobRead(2.5, 0, _JOB)],
    [e.Settled(3.0, 0, "f", 1.0)],
    [e.Accepted(4.0, 1, replace(_JOB, job_id="job-1")), e.Settled(5.0, 1, "s", 1.0)],
    [e.RunEnded(6.0, "finished", "", 3)],
]


@pytest.fixture
def past(tmp_path: Path) -> Iterator[Past]:
    made = Past(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("lean", [True, False])
def test_what_is_new_is_taken_in_and_nothing_twice(past: Past, lean: bool) -> None:
    run_id = past.add(past_plan("ab"))
    run = FollowedRun(this_host(), past.store, run_id, lean=lean)
    run.take()
    for entry in _ENTRIES:
        past.append(run_id, entry)
        (new,) = run.take()
        assert new.events == tuple(event for event in entry if not (lean and isinstance(event, e.JobRead)))
        assert (new.seq, run.take()) == (run.seq, [])
        told = fold(run.plan, past.store.read_events(run_id, lean=lean))
        assert_same(run.facts, told.facts)
        assert_same_queues(run.live, LiveRun(told.facts))
        if run.details is not None:
            assert run.details.jobs == told.details.jobs
    assert run.standing().phase is RunPhase.ENDED


def test_it_counts_by_the_time_of_the_process_that_is_at_work(past: Past) -> None:
    host = this_host()
    run_id = past.add(past_plan("ab"), at=1.0)
    run = FollowedRun(host, past.store, run_id)
    run.take()
    assert run.now() >= host.clock.wall() - 60  # a start without a boot: the clock on the wall
    at, uptime_s = 5_000_000.0, host.clock.monotonic()
    past.append(run_id, [e.RunResumed(at, "0", boot=host.clock.boot, uptime_s=uptime_s)])
    run.take()
    assert at <= run.now() < at + 60
