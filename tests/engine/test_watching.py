"""How soon the end of jobs is known, and at how many reads; and what becomes of that where the list is not as assumed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from runner.errors import ExitCode
from runner.run import events as e
from runner.spec.campaign import Submit, Watch
from tests.conftest import PlanMaker
from tests.engine.conftest import InWorld, World
from tests.engine.rollout_plans import fleet, rollout_plan, step

Late = list[float]
SUBMIT = Submit(5.0, 10, concurrency=16, settle_s=15.0)
TASKS_SHOW_S = 0.35
SPREAD = {"duration_s": 60.0, "spread": 0.3}


def watch(
    plan_of: PlanMaker,
    in_world: InWorld,
    count: int,
    disturb: Callable[[World], object] = lambda _: None,
    rate: float = 10.0,
    **switches: Any,
) -> tuple[Late, float]:
    """How late each end was in the journal, in order, and the reads a job."""
    late: dict[int, float] = {}

    async def story(world: World) -> tuple[Late, float]:
        def seen(event: e.Event) -> None:
            if isinstance(event, e.Settled):
                ended_at = world.service.jobs[world.state.job_ids[event.request]].ends_at()
                late[event.request] = event.at - (ended_at or 0.0)

        world.on_event = seen
        disturb(world)
        assert (await world.run()).exit_code is ExitCode.OK
        assert world.report()["counts"]["succeeded"] == count
        return sorted(late.values()), (world.service.calls["get"] + world.service.calls["list"]) / count

    told: tuple[Late, float] = in_world(
        plan_of((count,), (1,), SUBMIT, Watch(rate=rate, job_timeout_s=1800.0)), story, **switches
    )
    return told


def half(late: Late) -> float:
    return late[len(late) // 2]


def most(late: Late) -> float:
    return late[int(0.95 * len(late))]


@pytest.mark.parametrize(
    ("tasks", "others"),
    [
        ({"duration_s": 6.0, "spread": 0.3}, {}),
        ({"duration_s": 180.0, "spread": 0.05}, {}),
        ({"duration_s": 180.0, "spread": 0.3}, {}),
        ({"duration_s": 180.0, "spread": 0.05}, {"jobs": {"update_at": "of_reading"}}),
        ({"duration_s": 180.0, "spread": 0.05}, {"listing": {"paging": "ignored", "page_size": 1000}}),
        ({"duration_s": 6.0, "spread": 0.3}, {"listing": {"paging": "ignored", "page_size": 10}}),
        ({"duration_s": 6.0, "spread": 0.3}, {"listing": {"name_filter": "exact"}}),
    ],
    ids=["short", "long", "spread", "update_at of reading", "paging ignored", "ten rows", "exact filter"],
)
def test_the_end_of_a_job_is_known_soon_at_two_reads(
    plan_of: PlanMaker, in_world: InWorld, tasks: dict[str, Any], others: dict[str, Any]
) -> None:
    late, reads = watch(plan_of, in_world, 200, tasks=tasks, **others)
    assert half(late) <= 1.0
    assert most(late) <= 3.0
    assert reads <= 2.0 + 0.1


def test_only_pages_that_should_show_jobs_are_read(plan_of: PlanMaker, in_world: InWorld) -> None:
    """Pages of ten rows, of five hundred jobs: fifty for the whole list."""
    late, reads = watch(plan_of, in_world, 500, tasks={"duration_s": 60.0, "spread": 0.05}, listing={"most": 10})
    assert (half(late) <= 2.0, most(late) <= 5.0) == (True, True)
    assert reads <= 3.0


def throttled_lists(world: World) -> None:
    world.network.breaks_lists = "throttled"
    asyncio.get_running_loop().call_later(200.0, setattr, world.network, "breaks_lists", "")


WRONG: dict[str, tuple[dict[str, Any], Callable[[World], object]]] = {
    "a stale list": ({"deviations": {"row_lag_s": 40.0}}, lambda _: None),
    "a list for ever behind": ({"deviations": {"row_lag_s": 100_000.0}}, lambda _: None),
    "a list ahead of details": ({"deviations": {"detail_lag_s": 10.0}}, lambda _: None),
    "rows missing": ({"deviations": {"rows": "some"}}, lambda _: None),
    "no rows": ({"deviations": {"rows": "none"}}, lambda _: None),
    "jobs at work are hidden": ({"deviations": {"hidden": "unfinished"}}, lambda _: None),
    "jobs that are over are hidden": ({"deviations": {"hidden": "finished"}}, lambda _: None),
    "a filter that shows nothing": ({"deviations": {"name_filter": "matches_nothing"}}, lambda _: None),
    "no order": ({"listing": {"order": "random", "most": 10}}, lambda _: None),
    "the oldest first": ({"listing": {"order": "oldest", "most": 10}}, lambda _: None),
    "paging ignored": ({"listing": {"paging": "ignored", "page_size": 10}}, lambda _: None),
    "one row missing": ({"deviations": {"rows": "fewer"}}, lambda _: None),
    "a total of the page": ({"deviations": {"total": "of_page"}, "listing": {"most": 10}}, lambda _: None),
    "no total": ({"deviations": {"total": "missing"}, "listing": {"most": 10}}, lambda _: None),
    "a total too high": ({"deviations": {"total": "more"}, "listing": {"most": 10}}, lambda _: None),
    "pages that repeat a row": ({"deviations": {"pages": "repeat"}, "listing": {"most": 10}}, lambda _: None),
    "pages that skip a row": ({"deviations": {"pages": "skip"}, "listing": {"most": 10}}, lambda _: None),
    "jobs of others": ({"listing": {"foreign_jobs": 500, "name_filter": "exact"}}, lambda _: None),
    "update_at of reading": ({"jobs": {"update_at": "of_reading"}, "deviations": {"rows": "none"}}, lambda _: None),
    "throttled lists": ({}, throttled_lists),
    "lists that fail": ({}, lambda world: setattr(world.network, "breaks_lists", "status_503")),
    "a limit named for lists": ({}, lambda world: setattr(world.network, "breaks_lists", "throttled_for_a_window")),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_list_that_is_wrong_makes_the_end_known_later_not_never(
    plan_of: PlanMaker, in_world: InWorld, wrong: str
) -> None:
    switches, disturb = WRONG[wrong]
    late, reads = watch(plan_of, in_world, 100, disturb, tasks=SPREAD, **switches)
    assert half(late) <= 15.0
    assert late[-1] <= 30.0
    assert reads <= 6.0


def test_a_list_that_is_throttled_for_ever_costs_few_reads(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        world.network.breaks_lists = "throttled"
        began_at = world.clock.monotonic()
        await world.run()
        settled = [event.at for event in world.events() if isinstance(event, e.Settled)]
        assert world.report()["counts"]["succeeded"] == 50
        assert max(settled) - began_at < 200.0
        assert len([at for at in world.network.list_calls_at if at <= max(settled)]) < 20

    plan = plan_of((50,), (1,), SUBMIT, Watch(rate=10.0, job_timeout_s=1800.0))
    in_world(plan, story, tasks=SPREAD)


def test_many_that_fail_at_once_are_known_of_before_jobs_should_be_over(plan_of: PlanMaker, in_world: InWorld) -> None:
    """After a wave of jobs of five minutes, all others end at once."""

    async def story(world: World) -> None:
        running = asyncio.ensure_future(world.run())
        await asyncio.sleep(320.0)
        settled = world.state.settled
        for job in list(world.service.jobs.values())[-60:]:
            job.deleted = True
        await asyncio.sleep(60.0)
        assert world.state.settled >= settled + 50
        await running

    plan = plan_of((400,), (1,), Submit(1.0, 1, concurrency=4, settle_s=15.0), Watch(rate=10.0))
    in_world(plan, story, tasks={"duration_s": 300.0})


def test_where_a_limit_lets_only_few_run_the_next_starts_as_soon_as_one_is_known_to_be_over(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    """Two steps: the second begins for a server when the first is over for it, and nothing else is left to send."""

    async def story(world: World) -> list[float]:
        await world.run()
        waited = []
        for jobs in world.service.jobs_by_server().values():
            first, second = jobs
            waited.append(second.created_at - ((first.ends_at() or 0.0) + TASKS_SHOW_S))
        return sorted(waited)

    plan = plan_of((10,), (1, 1), Submit(100.0, 10, concurrency=16), Watch(rate=10.0))
    waited = in_world(plan, story, tasks={"duration_s": 180.0, "spread": 0.05})
    assert (half(waited) <= 0.5, waited[-1] <= 1.0) == (True, True)


@pytest.mark.parametrize(
    ("most_at_once", "tasks"),
    [
        (1, {"duration_s": 180.0, "spread": 0.3}),
        (5, {"duration_s": 6.0, "spread": 0.3}),
        (5, {"duration_s": 180.0, "spread": 2 / 3}),
        (20, {"duration_s": 180.0, "spread": 0.05}),
    ],
)
def test_under_a_budget_of_few_the_next_starts_within_half_a_second(
    in_world: InWorld, most_at_once: int, tasks: dict[str, Any]
) -> None:
    """Of what can be known: that a job is over shows when its last task does."""

    async def story(world: World) -> Late:
        await world.run()
        jobs = list(world.service.jobs.values())
        shown_at = sorted((job.ends_at() or 0.0) + TASKS_SHOW_S for job in jobs)
        began_at = (job.created_at for job in jobs[most_at_once:])
        return sorted(began - shown for began, shown in zip(began_at, shown_at, strict=False))

    rollout = {"waves": [{"name": "w"}], "order": "listed", "budget": {"max_unavailable": most_at_once}}
    plan = rollout_plan(rollout, fleet(40), steps=[step("upgrade", 1)], watch={"rate": "10/s"})
    waited = in_world(plan, story, tasks=tasks)
    assert len(waited) == 40 - most_at_once
    assert (half(waited) <= 0.5, most(waited) <= 0.6) == (True, True)
