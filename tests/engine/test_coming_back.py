"""A service that wants to be left alone for long is left alone: the lane stops at once, and says when to come back."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest

from runner.engine.coming_back import advice
from runner.errors import ExitCode
from runner.model import RunState
from runner.rules.throttle import TooLong
from runner.run import events as e
from runner.spec.campaign import Submit, Watch
from tests.conftest import PlanMaker
from tests.engine.conftest import InWorld, World

ONE_A_SECOND = Submit(rate=1.0, burst=1, concurrency=4, settle_s=15.0)
WATCH = Watch(rate=10.0, job_timeout_s=7200.0)
FAST = {"listing": {"lag_s": 2.0}, "tasks": {"duration_s": 60.0}}
TOO_LONG = ["throttled_for_two_hours", "quota", "quota_by_number"]


def creates(world: World, fault: str) -> None:
    world.network.script += [*[""] * 5, fault]


def reads(world: World, fault: str) -> None:
    world.network.read_script += [*[""] * 3, fault]


@pytest.mark.parametrize("calls", [creates, reads])
@pytest.mark.parametrize("fault", TOO_LONG)
def test_the_lane_stops_at_once_and_the_run_can_be_resumed(
    plan_of: PlanMaker, in_world: InWorld, fault: str, calls: Callable[[World, str], None]
) -> None:
    async def story(world: World) -> None:
        calls(world, fault)
        assert (await world.run(watched=calls is reads)).exit_code is ExitCode.UNUSABLE
        verdict = world.state.ending
        assert verdict is not None
        assert verdict.state is RunState.UNUSABLE
        assert "; the service says: " in verdict.reason
        stopped = next(event for event in world.events() if isinstance(event, e.LaneStopped))
        assert stopped.watched is (calls is creates)
        assert stopped.at - 1_000_000.0 < 60.0
        assert verdict.at - stopped.at < 2.0
        assert max(world.state.attempts) == 1  # to be told to come back later is no attempt
        await asyncio.sleep(7200.0)
        await world.run()
        assert Counter(job["state"] for job in world.report()["jobs"]) == {"settled": 20}
        assert len(world.service.jobs) == 20

    in_world(plan_of((20,), (1,), ONE_A_SECOND, WATCH), story, **FAST)


def test_a_pause_that_is_not_too_long_is_waited_for(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        creates(world, "throttled_for_two_hours")
        reads(world, "throttled_for_two_hours")
        assert (await world.run()).exit_code is ExitCode.OK

    submit = Submit(rate=1.0, burst=1, concurrency=4, settle_s=15.0, longest_pause_s=7200.0)
    in_world(plan_of((20,), (1,), submit, Watch(rate=10.0, job_timeout_s=86_400.0)), story, **FAST)


@pytest.mark.parametrize(("said", "waits_s"), [("a_minute", 60.0), ("two_hours", 300.0)])
@pytest.mark.parametrize("what", ["down", "busy"])
def test_no_create_leaves_before_the_service_may_be_asked_again(
    plan_of: PlanMaker, in_world: InWorld, what: str, said: str, waits_s: float
) -> None:
    """Of a service that is down, none; of servers that are busy, none for these. A longer time is cut short."""

    async def story(world: World) -> None:
        world.network.script += ["", f"{what}_for_{said}"]
        assert (await world.run()).exit_code is ExitCode.OK
        sent_at = world.network.sent_at
        again_at = sent_at[2] if what == "down" else sent_at[-1]
        assert waits_s <= again_at - sent_at[1] <= waits_s + 60.0

    plan = plan_of((3,), (1,), ONE_A_SECOND, WATCH)
    in_world(plan, story, listing={"lag_s": 2.0}, tasks={"duration_s": 1000.0})


@pytest.mark.parametrize(("said", "waits_s"), [("a_minute", 60.0), ("two_hours", 300.0)])
def test_no_list_is_read_before_the_service_may_be_asked_again(
    plan_of: PlanMaker, in_world: InWorld, said: str, waits_s: float
) -> None:
    """Nor another page of it."""

    async def story(world: World) -> None:
        world.network.script += ["lost_after"]
        world.network.read_script += [f"down_for_{said}"]
        assert (await world.run()).exit_code is ExitCode.OK
        first, second, *_ = world.network.list_calls_at
        assert waits_s <= second - first <= waits_s + 10.0

    in_world(plan_of((1,), (1,), ONE_A_SECOND, WATCH), story, **FAST)


def test_no_job_is_read_before_the_service_may_be_asked_again(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        world.network.read_script += ["down_for_two_hours"] * 4
        await world.run()
        (settled,) = (event for event in world.events() if isinstance(event, e.Settled))
        assert (settled.reads, settled.outcomes) == (5, "s")
        duration_s = world.report()["run"]["duration_s"]
        assert 4 * 300.0 <= duration_s <= 4 * 300.0 + 120.0

    in_world(plan_of((1,), (1,), ONE_A_SECOND, WATCH), story, **FAST)


@pytest.mark.parametrize(("said", "waits_s"), [("a_minute", 60.0), ("two_hours", 300.0)])
def test_no_list_is_looked_through_for_jobs_that_are_over_before_the_service_may_be_asked_again(
    plan_of: PlanMaker, in_world: InWorld, said: str, waits_s: float
) -> None:
    async def story(world: World) -> None:
        world.network.breaks_lists = f"down_for_{said}"
        asyncio.get_running_loop().call_later(45.0, setattr, world.network, "breaks_lists", "")
        assert (await world.run()).exit_code is ExitCode.OK
        first, second, *_ = world.network.list_calls_at
        assert waits_s <= second - first <= waits_s + 10.0

    plan = plan_of((40,), (1,), Submit(rate=10.0, burst=1, concurrency=4, settle_s=15.0), WATCH)
    in_world(plan, story, listing={"lag_s": 2.0}, tasks={"duration_s": 400.0, "spread": 0.5})


@pytest.mark.parametrize(("said", "waits_s"), [("a_minute", 60.0), ("two_hours", 300.0)])
def test_a_job_that_the_list_shows_as_over_is_not_read_before_the_service_may_be_asked_again(
    plan_of: PlanMaker, in_world: InWorld, said: str, waits_s: float
) -> None:
    """Others are read meanwhile."""

    async def story(world: World) -> None:
        world.network.unreadable_jobs, world.network.breaks_these = 1, f"down_for_{said}"
        asyncio.get_running_loop().call_later(900.0, setattr, world.network, "unreadable_jobs", 0)
        assert (await world.run()).exit_code is ExitCode.OK
        of_one, *others = world.network.gets_at.values()
        pauses = [later - before for before, later in pairwise(of_one)]
        assert len(pauses) >= 900.0 / waits_s
        assert min(pauses) >= waits_s
        assert max(max(gets) for gets in others) < of_one[-1]

    plan = plan_of((20,), (1,), ONE_A_SECOND, WATCH)
    in_world(plan, story, listing={"lag_s": 2.0}, tasks={"duration_s": 60.0, "spread": 0.3})


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (
            TooLong(7200.0, quota=False),
            (
                "the service wants to be left alone for 2h, which is longer than `submit.longest_pause` (5m): "
                "go on at 2026-01-01 10:00:00 CST (UTC+08:00)"
            ),
        ),
        (TooLong(60.0, quota=True), "a quota of the service is used up: go on at 2026-01-01 08:01:00 CST (UTC+08:00)"),
        (
            TooLong(86_400.0, quota=True, is_limit=True),
            "a quota of the service is used up: go on at 2026-01-02 08:00:00 CST (UTC+08:00) at the latest",
        ),
    ],
)
def test_the_moment_is_told_by_the_clock_on_the_wall_with_its_zone(asked: TooLong, text: str) -> None:
    code = f"from runner.engine.coming_back import *; from runner.rules.throttle import *; print(advice({asked!r}, 1767225600.0, 300.0))"
    env = {**os.environ, "TZ": "CST-8"}
    assert subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True).stdout == (
        text + "\n"
    )


def test_where_nobody_says_when_that_is_said() -> None:
    assert "does not say until when: go on tomorrow" in advice(TooLong(None, quota=True), 0.0, 300.0)
    assert "no such moment" in advice(TooLong(1e15, quota=False), 0.0, 300.0)
