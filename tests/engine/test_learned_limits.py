"""A limit of the service in a whole run: it is used nearly to the full, and the next run begins with it."""

from __future__ import annotations

from typing import Any

import pytest

from runner.errors import ExitCode
from runner.plan.plan import Plan
from runner.run import events as e
from runner.spec.campaign import Submit, Watch
from tests.conftest import PlanMaker
from tests.engine.conftest import InWorld, World

SILENT: dict[str, Any] = {"creates": 10, "create_period_s": 1.0, "kind": "sliding", "says_limit": False}


def plan_at(plan_of: PlanMaker, creates: int, rate: float = 100.0) -> Plan:
    return plan_of(
        (creates,), (1,), Submit(rate=rate, burst=10, concurrency=16), Watch(rate=10.0, job_timeout_s=1800.0)
    )


def refused(world: World) -> int:
    return sum(isinstance(event, e.Throttled) for event in world.events())


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize("says", [True, False])
def test_a_limit_is_used_nearly_to_the_full(plan_of: PlanMaker, in_world: InWorld, says: bool, counts: bool) -> None:
    async def story(world: World) -> None:
        assert (await world.run(watched=False)).exit_code is ExitCode.OK
        took_s = world.network.sent_at[-1] - world.network.sent_at[0]
        assert took_s <= 600 / 10 / 0.8
        assert refused(world) <= 0.06 * 600
        assert not any(isinstance(event, e.Lapsed) for event in world.events())

    switches = SILENT | {"says_limit": says, "counts_refused": counts}
    in_world(plan_at(plan_of, 600), story, throttle=switches | {"reads": None})


def test_the_next_run_begins_with_what_was_learned(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        await world.run()
        first = refused(world)
        assert first > 0
        assert world.store.limits.read(world.plan.lanes[0].label, "creates") is not None
        world.turn_to(world.campaign_of(plan_at(plan_of, 100, 99.0)))
        await world.run(watched=False)
        assert refused(world) < first

    in_world(plan_at(plan_of, 300), story, throttle=SILENT | {"reads": None}, tasks={"duration_s": 1.0})


def test_of_reads_that_chance_throttles_the_rate_is_kept(plan_of: PlanMaker, in_world: InWorld) -> None:
    """One in twenty; the rest get through at ten a second, and so the last job is known to be over soon after it is."""

    async def story(world: World) -> None:
        assert (await world.run()).exit_code is ExitCode.OK
        reads = world.service.calls["get"] + world.service.calls["list"]
        took_s = world.events()[-1].at - world.events()[0].at
        assert reads / took_s >= 0.7 * 10.0

    plan = plan_of((400,), (1,), Submit(rate=200.0, burst=10, concurrency=16), Watch(rate=10.0, job_timeout_s=1800.0))
    in_world(
        plan, story, throttle={"creates": None, "reads": None, "chance": 0.05}, tasks={"duration_s": 5.0},
        listing={"paging": "ignored", "foreign_jobs": 1000},
    )  # fmt: skip
