"""Calls that fail are told of: once for a lane and a minute, from a moment after they began until they work again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

from runner.cli.news import Newsroom
from runner.errors import ExitCode
from runner.report.text import summary_text
from runner.run import events as e
from runner.run.outages import AfterThat
from runner.spec.campaign import Submit, Watch
from tests.conftest import PlanMaker
from tests.engine.conftest import InWorld, World, until_it_dies

BEGAN = 1_000_000.0
AWAY = ["unreachable", "status_502", "status_503", "reset", "hang", "web_page", "redirect", "unreadable"]
SUBMIT = Submit(rate=10.0, burst=10, concurrency=4, settle_s=15.0)
WATCH = Watch(rate=10.0, job_timeout_s=7200.0)
FAST: dict[str, Any] = {"listing": {"lag_s": 2.0}, "tasks": {"duration_s": 300.0}}


def failing(world: World) -> list[e.CallsFailing]:
    return [event for event in world.events() if isinstance(event, e.CallsFailing)]


def working(world: World) -> list[e.CallsWorking]:
    return [event for event in world.events() if isinstance(event, e.CallsWorking)]


def is_every_minute(told: Sequence[e.CallsFailing]) -> bool:
    return all(later.at - earlier.at == pytest.approx(60.0, abs=0.1) for earlier, later in pairwise(told))


async def reads_fail(world: World, fault: str, *, after_s: float, lasts_s: float) -> ExitCode:
    """A run all of whose reads fail for a while."""
    running = asyncio.ensure_future(world.run())
    await asyncio.sleep(after_s)
    world.network.breaks_reads = fault
    await asyncio.sleep(lasts_s)
    world.network.breaks_reads = ""
    return (await running).exit_code


@pytest.mark.parametrize("fault", AWAY)
def test_reads_of_jobs_that_fail_are_told_of_every_minute_and_when_they_work_again(
    plan_of: PlanMaker, in_world: InWorld, fault: str
) -> None:
    async def story(world: World) -> None:
        assert await reads_fail(world, fault, after_s=60.0, lasts_s=720.0) is ExitCode.OK
        told, (over,) = failing(world), working(world)
        assert told[0].at - (BEGAN + 60.0) < 70.0 + 12.0
        assert is_every_minute(told)
        assert {event.since for event in told} == {over.since}
        assert BEGAN + 60.0 <= over.since < BEGAN + 60.0 + 65.0
        assert [event.failed for event in told] == sorted({event.failed for event in told})
        assert told[-1].failed <= over.failed
        assert max(event.jobs for event in told) == 5
        assert (told[-1].doubts, told[-1].creates, told[-1].then) == (0, False, AfterThat.TIMED_OUT)
        assert told[-1].until == pytest.approx(BEGAN + 7200.0, abs=5.0)
        assert BEGAN + 780.0 <= over.at < BEGAN + 780.0 + 95.0
        assert not over.given_up
        assert world.state.lanes[0].failing is None
        (outage,) = world.report()["outages"]
        assert outage["over_at"] is not None
        assert outage["error"]["message"] == told[-1].error.message

    in_world(plan_of((5,), (1,), SUBMIT, WATCH), story, **FAST)


def test_an_outage_over_a_large_fleet_writes_one_event_a_minute(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        assert await reads_fail(world, "status_503", after_s=200.0, lasts_s=1800.0) is ExitCode.OK
        assert 29 <= len(failing(world)) <= 32
        assert max(event.jobs for event in failing(world)) == 300
        assert len(world.events()) < 5 * 300 + 32 + 10

    submit = Submit(rate=100.0, burst=10, concurrency=16, settle_s=15.0)
    in_world(plan_of((300,), (1,), submit, Watch(rate=100.0, job_timeout_s=7200.0)), story, **FAST)


@pytest.mark.parametrize("fault", ["unreachable", "status_503", "reset", "hang"])
def test_an_outage_in_which_nothing_can_be_sent_says_until_when_it_is_waited_for(
    plan_of: PlanMaker, in_world: InWorld, fault: str
) -> None:
    async def story(world: World) -> None:
        running = asyncio.ensure_future(world.run())
        await asyncio.sleep(20.5)
        world.network.faults, world.network.fault_chance, world.network.breaks_reads = [fault], 1.0, fault
        assert (await running).exit_code is ExitCode.UNUSABLE
        told = failing(world)
        stopped = next(event for event in world.events() if isinstance(event, e.LaneStopped))
        told = [event for event in told if event.at < stopped.at]
        assert told[0].at - (BEGAN + 20.5) < 100.0
        assert is_every_minute(told)
        assert len(told) >= 15
        assert {event.then for event in told[2:]} == {AfterThat.LANE_STOPS}
        assert told[-1].creates or told[-1].doubts
        assert 1800.0 <= told[-1].until - told[-1].since < 1800.0 + 130.0
        assert stopped.at >= told[-1].until - 1.0

    in_world(plan_of((60,), (1,), Submit(rate=1.0, burst=1, concurrency=4, settle_s=15.0), WATCH), story, **FAST)


@pytest.mark.parametrize("fault", ["unreachable", "status_503"])
def test_the_survey_of_a_resumed_run_says_that_it_cannot_read_the_list(
    plan_of: PlanMaker, in_world: InWorld, fault: str
) -> None:
    async def story(world: World) -> None:
        await until_it_dies(world.run(crash_after=10))
        world.network.breaks_reads = fault
        running = asyncio.ensure_future(world.run(watched=False))
        await asyncio.sleep(400.0)
        world.network.breaks_reads = ""
        await running
        told = failing(world)
        assert 5 <= len(told) <= 8
        assert {(event.creates, event.then) for event in told} == {(False, AfterThat.LANE_STOPS)}
        assert len(working(world)) == 1

    in_world(plan_of((8,), (1,), SUBMIT, WATCH), story, servers={"busy": "queue"}, **FAST)


@pytest.mark.parametrize(
    "faults", [["status_503", "reset"], ["throttled"] * 8, ["status_503", ""] * 10, ["unreadable", "throttled", ""] * 5]
)
def test_what_fails_for_a_moment_is_no_news(plan_of: PlanMaker, in_world: InWorld, faults: list[str]) -> None:
    async def story(world: World) -> None:
        world.network.read_script += ["", *faults]
        assert (await world.run()).exit_code is ExitCode.OK
        assert (failing(world), working(world)) == ([], [])
        assert world.state.lanes[0].failing is None
        (job,) = world.report()["jobs"]
        assert job["reading"]["failed"] == len(faults) - faults.count("")
        assert job["reading"]["last_error"]["message"]

    in_world(plan_of((1,), (1,), SUBMIT, WATCH), story, **FAST)


def test_reads_that_are_throttled_for_long_are_news(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        assert await reads_fail(world, "throttled", after_s=60.0, lasts_s=400.0) is ExitCode.OK
        assert 60.0 <= failing(world)[0].at - failing(world)[0].since < 125.0
        assert len(working(world)) == 1

    in_world(plan_of((5,), (1,), SUBMIT, WATCH), story, **FAST)


def test_one_job_that_cannot_be_read_is_told_of_while_others_can(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        world.network.unreadable_jobs = 1
        assert (await world.run()).exit_code is ExitCode.ABNORMAL
        assert {event.jobs for event in failing(world)} == {1}
        (over,) = working(world)
        assert over.given_up
        assert over.at == pytest.approx(BEGAN + 1800.0, abs=65.0)

    in_world(plan_of((20,), (1,), SUBMIT, Watch(rate=10.0, job_timeout_s=1800.0)), story, **FAST)


def test_in_a_run_that_goes_well_nothing_is_told_and_reads_are_counted(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        assert (await world.run()).exit_code is ExitCode.OK
        report = world.report()
        assert report["outages"] == []
        for job in report["jobs"]:
            assert job["reading"] == {
                "reads": job["reading"]["reads"],
                "failed": 0,
                "last_error": None,
                "unread": False,
            }
        assert sum(job["reading"]["reads"] for job in report["jobs"]) == world.service.calls["get"]

    in_world(plan_of((20,), (1,), SUBMIT, WATCH), story, **FAST)


def test_a_person_is_told_what_fails_since_when_and_what_comes_of_it(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        lines: list[str] = []

        def tell(event: e.Event) -> None:
            item = Newsroom("r", world.state, world.look).item(event)
            if item is not None and isinstance(event, e.CallsFailing | e.CallsWorking | e.Settled):
                lines.append(item.line)

        world.on_event = tell
        running = asyncio.ensure_future(world.run())
        await asyncio.sleep(60.0)
        world.network.breaks_reads = "status_503"
        await asyncio.sleep(100.0)
        room = Newsroom("r", world.state, world.look)
        (line,) = room.failing()
        assert line.startswith(lines[-1].partition(": the backend")[0])
        assert line.endswith(lines[-1].rpartition(": ")[2])
        assert "calls fail: since 13:4" in lines[-1]
        assert "2 jobs cannot be read: HTTP 503 ModelArts.4302: the backend is down; tried until " in line
        assert lines[-1].endswith("UTC, then the servers of a job count as timed out")
        assert room.failing()[0] in summary_text(world.report(), world.state)
        await running
        assert room.failing() == []
        *_, over, last = lines
        assert over.startswith("no call fails any more, for what failed is not tried now: ")
        assert " failed since 13:4" in over
        assert last.startswith("job over, not every server succeeded: its job could not be read, ")
        assert last.endswith(" reads failed: the backend is down")
        summary = summary_text(world.report(), world.state)
        assert "2 TIMED OUT: the job could not be read: HTTP 503 ModelArts.4302 the backend is down (" in summary
        assert "gives no reason" not in summary

    in_world(plan_of((2,), (1,), SUBMIT, Watch(rate=10.0, job_timeout_s=1800.0)), story, **FAST)
