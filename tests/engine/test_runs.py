"""Whole runs in virtual time, clean and with everything going wrong that the network can do."""

from __future__ import annotations

import math
from typing import Any

import pytest

from runner.errors import ExitCode
from runner.run import events as e
from runner.spec.campaign import Submit, Watch
from tests.conftest import PlanMaker
from tests.engine.conftest import InWorld, World, until_it_dies

FAST = {"listing": {"lag_s": 1.0}, "tasks": {"duration_s": 60.0}}


def test_a_clean_run(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        verdict = await world.run()
        assert verdict.exit_code is ExitCode.OK
        assert world.report()["counts"]["succeeded"] == 9
        assert world.report()["requests"] == {
            "planned": 5,
            "split": 0,
            "accepted": 5,
            "refused": 0,
            "adopted": 0,
            "in_doubt": 0,
        }

    in_world(plan_of((5, 4), (2,)), story, **FAST)


def test_a_thousand_jobs_of_three_minutes_cost_at_most_five_reads_each(plan_of: PlanMaker, in_world: InWorld) -> None:
    plan = plan_of((1000,), (1,), Submit(rate=10.0, burst=10, concurrency=16), Watch(rate=10.0))

    async def story(world: World) -> None:
        verdict = await world.run()
        calls = world.service.calls
        assert verdict.exit_code is ExitCode.OK
        assert (calls["get"] + calls["list"]) / 1000 <= 5

    in_world(plan, story)


def test_creates_keep_to_rate_burst_and_concurrency(plan_of: PlanMaker, in_world: InWorld) -> None:
    plan = plan_of((200,), (1,), Submit(rate=20.0, burst=5, concurrency=3))

    async def story(world: World) -> None:
        await world.run()
        times = world.network.sent_at
        for first in range(len(times)):
            for last in range(first, len(times), 7):
                assert last - first + 1 <= 20.0 * (times[last] - times[first]) + 5 + 1e-6
        assert world.network.most_in_flight <= 3

    in_world(plan, story, **FAST)


def test_without_a_rate_no_more_are_sent_at_once_than_allowed(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        assert (await world.run()).exit_code is ExitCode.OK
        assert world.network.most_in_flight == 8

    in_world(plan_of((100,), (1,), Submit(rate=math.inf, burst=10, concurrency=8)), story, **FAST)


def test_a_throttled_service_is_obeyed_and_nothing_is_lost(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        verdict = await world.run()
        report = world.report()
        assert verdict.exit_code is ExitCode.OK
        assert report["counts"]["succeeded"] == 40
        assert 0 < report["throttling"]["throttled_answers"] < 20
        assert report["throttling"]["waited_s"] >= 59

    in_world(plan_of((40,), (1,)), story, throttle={"creates": 10, "create_period_s": 60, "reads": None}, **FAST)


def test_only_servers_that_succeeded_go_on_to_the_next_step(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        verdict = await world.run()
        report = world.report()
        assert verdict.exit_code is ExitCode.ABNORMAL
        assert (report["counts"]["succeeded"], report["counts"]["failed"]) == (5, 1)
        by_server = world.service.jobs_by_server()
        assert {server: len(jobs) for server, jobs in by_server.items()} == {
            "g0-s0": 2, "g0-s1": 1, "g0-s2": 2, "g0-s3": 2, "g0-s4": 2, "g0-s5": 2
        }  # fmt: skip

    in_world(
        plan_of((6,), (2, 3)), story, listing={"lag_s": 1.0}, tasks={"duration_s": 5.0, "failing_servers": ["g0-s1"]}
    )


def test_a_step_without_servers_left_is_not_sent(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        await world.run()
        assert world.report()["jobs"][-1]["state"] == "void"
        assert world.report()["counts"]["failed"] == 2
        assert world.service.calls["create"] == 1

    in_world(plan_of((2,), (2, 2)), story, tasks={"duration_s": 5.0, "failing": 1.0})


def test_a_job_that_never_ends_times_out(plan_of: PlanMaker, in_world: InWorld) -> None:
    plan = plan_of((2,), (2,), watch=Watch(rate=10.0, job_timeout_s=300.0))

    async def story(world: World) -> None:
        verdict = await world.run()
        assert verdict.exit_code is ExitCode.ABNORMAL
        assert world.report()["counts"]["timed_out"] == 2
        assert world.report()["run"]["duration_s"] < 400

    in_world(plan, story, tasks={"never_final": 1.0})


def test_a_job_without_all_its_tasks_is_not_finished(plan_of: PlanMaker, in_world: InWorld) -> None:
    plan = plan_of((3,), (3,), watch=Watch(rate=10.0, job_timeout_s=600.0))

    async def story(world: World) -> None:
        await world.run()
        assert world.report()["counts"]["succeeded"] == 0
        assert world.report()["counts"]["timed_out"] == 3

    in_world(plan, story, tasks={"missing": 1.0, "duration_s": 10})


def test_a_refused_request_is_reported_and_the_others_go_on(plan_of: PlanMaker, in_world: InWorld) -> None:
    fleet = {f"g0-s{i}": "RUNNING" for i in range(4)}

    async def story(world: World) -> None:
        verdict = await world.run()
        report = world.report()
        assert verdict.exit_code is ExitCode.ABNORMAL
        assert (report["counts"]["succeeded"], report["counts"]["not_started"]) == (4, 2)
        assert report["jobs"][2]["error"]["code"] == "ModelArts.6404"

    in_world(plan_of((6,), (2,)), story, servers={"fleet": fleet}, **FAST)


def test_a_stopped_run_goes_on_where_it_was(plan_of: PlanMaker, in_world: InWorld) -> None:
    plan = plan_of((50,), (1,), Submit(rate=10.0, burst=1, concurrency=4))

    async def story(world: World) -> None:
        import asyncio  # noqa: PLC0415  only here

        running = asyncio.ensure_future(world.run())
        await asyncio.sleep(2.0)
        assert world.engine is not None
        world.engine.stop("SIGINT received")
        assert (await running).exit_code is ExitCode.STOPPED
        assert 10 < world.service.calls["create"] < 30
        assert (await world.run()).exit_code is ExitCode.OK
        assert world.service.calls["create"] == 50

    in_world(plan, story, **FAST)


def test_a_resumed_run_that_is_stopped_at_once_looks_nothing_up(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        await until_it_dies(world.run(crash_after=6))
        began_at = world.clock.monotonic()
        assert (await world.run(stop_after=1)).exit_code is ExitCode.STOPPED
        assert world.clock.monotonic() - began_at < 1.0

    in_world(plan_of((20,), (1,)), story, **FAST)


def test_two_jobs_of_one_name_are_a_conflict_that_is_never_hidden(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        world.promises.may_double = True
        world.network.script.append("twice")
        verdict = await world.run()
        job = world.report()["jobs"][0]
        assert verdict.exit_code is ExitCode.ABNORMAL
        assert job["state"] == "conflict"
        assert all(job_id in job["error"]["message"] for job_id in world.service.jobs)
        assert [type(event) for event in world.events() if isinstance(event, e.Conflict)] == [e.Conflict]

    in_world(plan_of((2,), (2,)), story, servers={"busy": "queue"}, **FAST)


def test_a_create_that_arrives_after_all_is_found_before_the_run_ends(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        world.promises.may_double = True
        world.network.script.append("too_late")
        verdict = await world.run()
        report = world.report()
        assert verdict.exit_code is ExitCode.ABNORMAL
        assert len(world.service.jobs) == 2
        assert report["jobs"][0]["state"] == "conflict"
        assert all(job_id in report["jobs"][0]["error"]["message"] for job_id in world.service.jobs)
        assert report["counts"]["succeeded"] == 2

    in_world(plan_of((2,), (2,)), story, servers={"busy": "queue"}, **FAST)


def test_a_third_job_of_a_request_in_conflict_is_reported_as_well(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        world.promises.may_double = True
        world.network.script += ["", "too_late", "twice"]
        await world.run()
        job = world.report()["jobs"][1]
        made = [job_id for job_id, made in world.service.jobs.items() if made.request["name"] == job["name"]]
        assert len(made) == 3
        assert all(job_id in job["error"]["message"] for job_id in made)
        assert world.state.conflicts == 1

    in_world(plan_of((4,), (2,)), story, servers={"busy": "queue"}, **FAST)


def test_a_late_second_job_is_found_though_a_power_cut_took_the_doubt_out_of_the_journal(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    async def story(world: World) -> None:
        world.promises.may_double = True
        world.network.script.append("too_late")
        await until_it_dies(world.run(crash_after=3))
        world.tear(1000)
        verdict = await world.run()
        report = world.report()
        assert verdict.exit_code is ExitCode.ABNORMAL
        assert len(world.service.jobs) == 2
        assert all(job_id in report["jobs"][0]["error"]["message"] for job_id in world.service.jobs)

    in_world(plan_of((2,), (2,)), story, servers={"busy": "queue"}, **FAST)


@pytest.mark.parametrize("listing", [{}, {"name_filter": "exact"}, {"name_filter": "exact", "paging": "ignored"}])
def test_jobs_that_a_power_cut_took_out_of_the_journal_are_found_and_adopted(
    plan_of: PlanMaker, in_world: InWorld, listing: dict[str, Any]
) -> None:
    async def story(world: World) -> None:
        await until_it_dies(world.run(crash_after=30))
        made = len(world.service.jobs) - 40
        assert made > 5
        world.tear(25)
        assert (await world.run()).exit_code is ExitCode.OK
        assert len(world.service.jobs) == 20 + 40
        assert world.report()["requests"]["adopted"] >= made - 5

    in_world(
        plan_of((20,), (1,)),
        story,
        servers={"busy": "queue"},
        listing={"lag_s": 5.0, "foreign_jobs": 40, **listing},
        tasks={"duration_s": 60.0},
    )
