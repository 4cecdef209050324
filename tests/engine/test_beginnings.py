"""A process that dies before its run has begun, as far as the journal tells."""

from __future__ import annotations

import pytest

from runner.errors import ExitCode, RefusedToStart
from runner.run import events as e
from runner.simulator.behaviour import Behaviour
from tests.conftest import PlanMaker
from tests.engine.conftest import InWorld, World, until_it_dies
from tests.engine.rollout_plans import fleet, rollout_plan

FAST = {"tasks": {"duration_s": 60.0}}


def test_a_run_that_died_before_its_first_event_begins_when_it_is_resumed(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    async def story(world: World) -> None:
        await until_it_dies(world.run(crash_after=1))
        assert not world.events()
        assert (await world.run()).exit_code is ExitCode.OK
        assert [event.kind for event in world.events()[:2]] == ["run_started", "run_resumed"]
        assert world.report()["run"]["started_at"] is not None

    in_world(plan_of((4,), (2,)), story, **FAST)


def test_the_deadline_of_a_rollout_holds_though_its_first_event_was_lost(in_world: InWorld) -> None:
    async def story(world: World) -> None:
        await until_it_dies(world.run(crash_after=1))
        verdict = await world.run()
        assert verdict.reason.startswith("the deadline of the rollout has passed")
        assert world.service.calls["create"] == 1

    in_world(
        rollout_plan({"waves": [{"name": "w", "sizes": [1, "rest"], "soak": "1h"}], "deadline": "10m"}, fleet(4)),
        story,
        **FAST,
    )


@pytest.mark.parametrize("torn", [0, 1000])
def test_a_run_on_a_simulator_never_goes_on_against_the_service(
    plan_of: PlanMaker, in_world: InWorld, torn: int
) -> None:
    """Its plan may well be one for the service, and the journal that said so is lost."""

    async def story(world: World) -> None:
        world.own_simulator, world.promises.holds_nothing = Behaviour.demo(), True
        await until_it_dies(world.run(crash_after=4 if torn else 1))
        world.tear(torn)
        world.own_simulator = None
        made = len(world.service.jobs)
        with pytest.raises(RefusedToStart, match=r"never began|was against a simulator"):
            await world.run()
        assert len(world.service.jobs) == made
        assert not any(isinstance(event, e.RunResumed) for event in world.events())

    in_world(plan_of((4,), (2,)), story, **FAST)
