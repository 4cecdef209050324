"""The end of intake, by a deadline or otherwise: nothing new is sent, and what is at work is watched to its end."""

from __future__ import annotations

import asyncio

import pytest

from runner.engine.run import Deadline
from runner.errors import ExitCode
from runner.run import events as e
from runner.spec.campaign import Submit
from tests.conftest import PlanMaker
from tests.engine.conftest import InWorld, World, until_it_dies
from tests.engine.simulation import check_nothing_is_left_at_work

FAST = {"listing": {"lag_s": 1.0}, "tasks": {"duration_s": 60.0}}
TEN_A_SECOND = Submit(rate=10.0, burst=1, concurrency=4)


def deadline_in(world: World, seconds: float) -> Deadline:
    return Deadline(world.clock.now() + seconds, "05:00")


def test_from_the_deadline_on_nothing_is_sent_and_jobs_are_watched_to_their_end(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    async def story(world: World) -> None:
        began = world.clock.now()
        verdict = await world.run(deadline=deadline_in(world, 2.0))
        made = world.service.calls["create"]
        assert 10 < made < 30
        assert max(world.network.sent_at) < began + 2.0
        assert world.clock.now() > began + 30.0
        assert (verdict.state, verdict.exit_code) == ("stopped", ExitCode.STOPPED)
        assert verdict.reason == f"deadline 05:00 reached: {50 - made} of 50 requests were not sent"
        check_nothing_is_left_at_work(world)
        report = world.report()
        assert report["run"]["reason"] == verdict.reason
        assert (report["counts"]["succeeded"], report["counts"]["not_started"]) == (made, 50 - made)
        assert (await world.run()).exit_code is ExitCode.OK
        assert world.service.calls["create"] == 50

    in_world(plan_of((50,), (1,), TEN_A_SECOND), story, **FAST)


def test_a_deadline_after_the_last_request_changes_nothing(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        verdict = await world.run(deadline=deadline_in(world, 30.0))
        assert (verdict.state, verdict.exit_code) == ("finished", ExitCode.OK)
        assert any(isinstance(event, e.IntakeEnded) for event in world.events())

    in_world(plan_of((20,), (1,), TEN_A_SECOND), story, **FAST)


def test_a_run_does_not_wait_for_its_deadline(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        began = world.clock.now()
        assert (await world.run(deadline=deadline_in(world, 36_000.0))).exit_code is ExitCode.OK
        assert world.clock.now() < began + 600.0
        assert not any(isinstance(event, e.IntakeEnded) for event in world.events())

    in_world(plan_of((20,), (1,), TEN_A_SECOND), story, **FAST)


def test_steps_to_come_are_not_begun(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        verdict = await world.run(deadline=deadline_in(world, 30.0))
        assert verdict.reason == "deadline 05:00 reached: 6 of 12 requests were not sent"
        assert world.service.calls["create"] == 6
        assert (await world.run()).exit_code is ExitCode.OK
        assert world.service.calls["create"] == 12

    in_world(plan_of((6,), (1, 1)), story, **FAST)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_in_doubt_is_looked_up_but_not_sent_again(plan_of: PlanMaker, in_world: InWorld, seed: int) -> None:
    async def story(world: World) -> None:
        began = world.clock.now()
        world.network.faults, world.network.fault_chance = ("lost_after", "lost_before"), 0.5
        verdict = await world.run(deadline=deadline_in(world, 3.0))
        assert max(world.network.sent_at) < began + 3.0
        assert verdict.state == "stopped"
        check_nothing_is_left_at_work(world)
        kinds = {type(event) for event in world.events() if event.at > began + 3.0}
        assert kinds >= {e.NotFound, e.Settled}
        assert e.Intended not in kinds
        assert (await world.run()).exit_code is ExitCode.OK
        assert len(world.service.jobs) == 40

    plan = plan_of((40,), (1,), Submit(rate=10.0, burst=1, concurrency=20, attempts=50, settle_s=15.0))
    in_world(plan, story, seed=seed, servers={"busy": "queue"}, **FAST)


def test_intents_that_wait_for_their_turn_lapse(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        world.commit_s = 0.3  # so intents are made well ahead of their turn
        running = asyncio.ensure_future(world.run())
        await asyncio.sleep(1.25)
        assert world.engine is not None
        world.engine.end_intake("enough")
        world.engine.end_intake("more than enough")
        verdict = await running
        assert verdict.reason.startswith("enough: ")
        assert any(isinstance(event, e.Lapsed) for event in world.events())
        assert len([event for event in world.events() if isinstance(event, e.IntakeEnded)]) == 1
        check_nothing_is_left_at_work(world)

    in_world(plan_of((20,), (1,), Submit(rate=2.0, burst=1, concurrency=4)), story, **FAST)


def test_a_resumed_run_whose_deadline_is_over_only_watches(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        await until_it_dies(world.run(crash_after=30))
        made = len(world.service.jobs)
        assert 0 < made < 50
        verdict = await world.run(deadline=deadline_in(world, -5.0))
        assert verdict.exit_code is ExitCode.STOPPED
        assert len(world.service.jobs) == made
        assert world.report()["counts"]["succeeded"] == made
        check_nothing_is_left_at_work(world)

    in_world(plan_of((50,), (1,), TEN_A_SECOND), story, **FAST)


def test_a_stop_comes_before_the_deadline(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        verdict = await world.run(stop_after=10, deadline=deadline_in(world, 2.0))
        assert verdict.reason == "SIGTERM received"

    in_world(plan_of((50,), (1,), TEN_A_SECOND), story, **FAST)


def test_without_watching_what_was_not_sent_is_left(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        verdict = await world.run(watched=False, deadline=deadline_in(world, 2.0))
        assert (verdict.state, verdict.exit_code) == ("stopped", ExitCode.STOPPED)
        assert (await world.run()).exit_code is ExitCode.OK

    in_world(plan_of((50,), (1,), TEN_A_SECOND), story, **FAST)
