"""What a retry makes of requests that a run was not sure of when it ended."""

from __future__ import annotations

from typing import Any, cast

import pytest

from runner.app.retrying import DEFAULT_OUTCOMES, Retry, retry_in
from runner.errors import InvalidInput, RefusedToStart
from runner.journal.store import RunStore
from runner.simulator.behaviour import Deviations
from runner.spec.campaign import Submit, Watch
from tests.conftest import PlanMaker
from tests.engine.conftest import InWorld, World

ONCE = Submit(rate=10.0, burst=10, concurrency=1, attempts=1, settle_s=15.0)
HALF_AN_HOUR = Watch(rate=10.0, job_timeout_s=1800.0)
SLOW: dict[str, Any] = {"tasks": {"duration_s": 900.0}, "servers": {"busy": "queue"}}
AT_ONCE: dict[str, Any] = {"listing": {"lag_s": 0.0}}


async def retried(world: World, **how: Any) -> Retry:
    store = cast("RunStore", world.store)
    return await retry_in(world.host(), store, [world.run_id or ""], DEFAULT_OUTCOMES, **{"look": True, **how})


def test_a_request_with_two_jobs_is_left_alone_until_both_are_over(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        world.promises.may_double = True
        world.network.script += ["twice"]
        await world.run()
        assert world.report()["counts"]["unknown"] == 2
        with pytest.raises(InvalidInput, match=r"is at work on g0-s0, g0-s1: job .* shows PROCESSING"):
            await retried(world)
        await world.clock.sleep(1000.0)
        with pytest.raises(InvalidInput, match="no server of"):
            await retried(world)

    in_world(plan_of((2,), (2,), ONCE, HALF_AN_HOUR), story, **SLOW, **AT_ONCE)


def test_servers_at_work_are_left_out_and_the_others_done(plan_of: PlanMaker, in_world: InWorld) -> None:
    """Of two requests that were given up one made a job, which is listed only after the run."""

    async def story(world: World) -> None:
        world.network.script += ["lost_after", "lost_before"]
        world.service.deviations = Deviations(hidden="unfinished")
        await world.run()
        assert world.report()["counts"]["unknown"] == 2
        world.service.deviations = Deviations()
        again = await retried(world)
        assert [server.id for group in again.plan.groups for server in group.servers] == ["g0-s1"]
        assert [f"run {world.run_id} is at work on g0-s0" in left for left in again.at_work] == [True]

    in_world(plan_of((2,), (1,), ONCE, HALF_AN_HOUR), story, **SLOW, **AT_ONCE)


@pytest.mark.parametrize("boots", [0, 1])
def test_a_list_is_asked_only_once_a_job_had_the_time_to_be_listed(
    plan_of: PlanMaker, in_world: InWorld, boots: int
) -> None:
    """Where no clock tells how long ago the run ended, it was just now."""

    async def story(world: World) -> None:
        world.network.script += ["lost_before"]
        await world.run()
        world.clock.boots += boots
        await world.clock.sleep(3600.0)
        before = world.clock.monotonic()
        assert len((await retried(world)).plan.groups) == 1
        waited_s = world.clock.monotonic() - before
        assert (waited_s >= ONCE.settle_s) is bool(boots)

    in_world(plan_of((1,), (1,), ONCE, HALF_AN_HOUR), story, **SLOW, **AT_ONCE)


def test_what_cannot_be_proven_is_not_taken_and_does_not_keep_others_from_it(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    async def story(world: World) -> None:
        world.network.script += ["lost_after"]
        world.service.deviations = Deviations(hidden="unfinished")
        await world.run()
        world.service.deviations = Deviations(total="missing", rows="none")
        with pytest.raises(
            RefusedToStart, match=r"it cannot be told whether run .* is at work on g0-s0: the list does not"
        ):
            await retried(world)
        taken = await retried(world, look=False)
        assert [len(group.servers) for group in taken.plan.groups] == [1]
        world.turn_to(world.campaign_of(taken.plan))
        with pytest.raises(RefusedToStart, match=r"as far as is known; it holds them until .*: the list does not tell"):
            await world.run()

    in_world(plan_of((1,), (1,), ONCE, HALF_AN_HOUR), story, **SLOW, **AT_ONCE)
