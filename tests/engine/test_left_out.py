"""Servers that another run of the family has: whatever the plan and whenever the process dies, nothing is sent to them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection
from typing import Any

import pytest

from runner.journal.owner import Owner
from runner.journal.store import RunRecord
from runner.model import Server
from runner.plan.codec import plan_to_json
from runner.plan.digests import lane_servers
from runner.plan.plan import Plan
from runner.plan.retry import Parent, retry_plan
from runner.run import events as e
from runner.run.gate import Patience
from runner.spec.campaign import Submit, Watch
from tests.conftest import small_plan
from tests.engine.conftest import InWorld
from tests.engine.rollout_plans import fleet, rollout_plan, step
from tests.engine.rollout_stories import drawn_plan
from tests.engine.world import World, until_it_dies

_CHILD = "child"

_RATES: dict[str, Any] = {"rate": "100/s", "burst": 100, "concurrency": 4, "attempts": 50, "settle": "15s"}


def drawn(rng: random.Random) -> Plan:
    """A plan of one kind or the other."""
    if rng.random() < 0.5:
        return drawn_plan(rng, _RATES, {"rate": "100/s", "job_timeout": "30m"})
    return small_plan(
        tuple(rng.randint(1, 12) for _ in range(rng.randint(1, 2))),
        tuple(rng.randint(1, 5) for _ in range(rng.randint(1, 2))),
        Submit(1000.0, 100, concurrency=4, attempts=50, settle_s=15.0),
        Watch(rate=100.0),
        lanes=rng.choice((1, 2)),
    )


def child_has(world: World, servers: Collection[str]) -> None:
    """Let a retry of the run, which may be gone on with, have these servers, and no others."""
    assert world.run_id is not None
    if world.store.history.family(world.run_id) != [world.run_id]:
        world.store.history.delete([_CHILD])
    if servers:
        again = {server: 0 for server in lane_servers(world.plan) if server.server_id in servers}
        plan = retry_plan([Parent(world.run_id, world.plan, again)], 1.0, "0")
        world.store.save_plan(plan.plan_hash, plan_to_json(plan))
        world.store.create_run(RunRecord(_CHILD, "test", plan.plan_hash, 1.0, parents=plan.parents))


@pytest.mark.parametrize("seed", range(60))
def test_nothing_is_sent_to_servers_that_are_left_out(in_world: InWorld, seed: int) -> None:
    rng = random.Random(seed)
    plan = drawn(rng)

    async def story(world: World) -> None:
        world.patience = Patience(for_window=False, for_person=False)
        await until_it_dies(world.run(crash_after=rng.randint(2, 20)))
        for _ in range(3):
            if world.state.ended is not None and world.state.ended.is_over:
                return
            share = rng.choice((0.0, 0.1, 0.5, 1.0))
            out = {server.id for group in plan.groups for server in group.servers if rng.random() < share}
            child_has(world, out)
            await asyncio.sleep(60.0)  # what left before the process died has arrived
            before = len(world.service.jobs)
            await until_it_dies(world.run(crash_after=rng.randint(5, 40)))
            # A check is of servers that this run is through with, so the other one will leave them to it.
            beside = {job["name"] for job in world.report()["jobs"] if job["purpose"] == "check"}
            new = [job.request for job in list(world.service.jobs.values())[before:]]
            assert not out & {server for made in new if made["name"] not in beside for server in made["server_ids"]}

    in_world(plan, story, tasks={"duration_s": 20.0}, seed=seed)


@pytest.mark.parametrize("plan", [
    small_plan((7, 5), (3,), Submit(1000.0, 100, settle_s=15.0), Watch(rate=100.0)),
    small_plan((7, 5), (3, 2), Submit(1000.0, 100, settle_s=15.0), Watch(rate=100.0), lanes=2),
    rollout_plan({"waves": [{"name": "w", "sizes": [1, 3, "rest"], "soak": "1m"}]}, fleet(12)),
    rollout_plan({"waves": [{"name": "w"}], "budget": {"max_unavailable": 2}}, fleet(12), steps=(step("upgrade", 5),)),
], ids=["one step", "two steps", "waves", "little room"])  # fmt: skip
def test_all_the_others_are_done_and_the_run_ends(in_world: InWorld, plan: Plan) -> None:
    async def story(world: World) -> None:
        await until_it_dies(world.run(crash_after=4))
        sent = {server for job in world.service.jobs.values() for server in job.request["server_ids"]}
        out = {server.id for group in plan.groups for server in group.servers[::3]}
        child_has(world, out)
        verdict = await world.run()
        everyone = {server.id for group in plan.groups for server in group.servers}
        jobs = {server for job in world.service.jobs.values() for server in job.request["server_ids"]}
        assert (verdict.state, jobs) == ("finished", everyone - (out - sent))
        assert world.report()["counts"]["excluded"] >= len(out - sent)

    in_world(plan, story, tasks={"duration_s": 20.0})


async def _step_is_at_work(world: World) -> None:
    await until_it_dies(world.run(crash_after=3))
    assert len(world.service.jobs) == 1


def test_a_server_whose_step_is_at_work_does_not_get_the_next_one(in_world: InWorld) -> None:
    plan = small_plan((2,), (2, 2), Submit(1000.0, 100, settle_s=15.0), Watch(rate=100.0))

    async def story(world: World) -> None:
        await _step_is_at_work(world)
        child_has(world, ["g0-s1"])
        await world.run()
        steps = [
            (job["step"], [task["server_id"] for task in job["tasks"]], job["state"]) for job in world.report()["jobs"]
        ]
        assert steps == [
            ("step-0", ["g0-s0", "g0-s1"], "settled"),
            ("step-1", ["g0-s0"], "settled"),
            ("step-1", ["g0-s1"], "withdrawn"),
        ]

    in_world(plan, story, tasks={"duration_s": 20.0})


def test_what_was_left_out_is_found_out_anew_at_each_resume(in_world: InWorld) -> None:
    plan = small_plan((4,), (2,), Submit(1000.0, 100, settle_s=15.0), Watch(rate=100.0))

    async def story(world: World) -> None:
        await until_it_dies(world.run(crash_after=1))
        child_has(world, ["g0-s0", "g0-s1", "g0-s2", "g0-s3"])
        await until_it_dies(world.run(crash_after=2))  # before anything is withdrawn
        assert [event for event in world.events() if isinstance(event, e.Withdrawn)] == []
        child_has(world, [])
        assert (await world.run()).exit_code == 0

    in_world(plan, story, tasks={"duration_s": 20.0})


def test_those_that_must_go_together_are_left_out_together(in_world: InWorld) -> None:
    servers = [Server(f"s{i}", f"n{i}", {"hyper": f"h{i // 2}"}) for i in range(6)]
    plan = rollout_plan(
        {"waves": [{"name": "w"}], "budget": {"per": {"labels.hyper": "whole"}}}, servers, steps=(step("upgrade", 6),)
    )

    async def story(world: World) -> None:
        await until_it_dies(world.run(crash_after=1))
        child_has(world, ["s2"])
        await world.run()
        jobs = {server for job in world.service.jobs.values() for server in job.request["server_ids"]}
        assert jobs == {"s0", "s1", "s4", "s5"}

    in_world(plan, story, tasks={"duration_s": 20.0})


def test_a_person_cannot_take_them_in_again(in_world: InWorld) -> None:
    plan = rollout_plan({"waves": [{"name": "one", "sizes": [2, "rest"], "approve": True}]}, fleet(4))

    async def story(world: World) -> None:
        await until_it_dies(world.run(crash_after=1))
        child_has(world, ["s000", "s003"])
        running = asyncio.create_task(world.run())
        await asyncio.sleep(25.0)  # the settle time is over, and the job of the other server is not
        world.command("include", "s000")
        await asyncio.sleep(120.0)
        world.command("approve", "one-1")
        await asyncio.sleep(120.0)
        world.command("approve", "one-2")
        await running
        asked = [(event.target, event.refused) for event in world.events() if isinstance(event, e.Commanded)]
        assert asked[0] == ("s000", "s000 belongs to run child now")
        assert {server for job in world.service.jobs.values() for server in job.request["server_ids"]} == {
            "s001",
            "s002",
        }

    in_world(plan, story, tasks={"duration_s": 20.0})


async def _until_the_first_step_is_over(world: World) -> None:
    def stop(event: e.Event) -> None:
        if isinstance(event, e.Settled) and world.engine is not None:
            world.engine.stop("the first step is over")

    world.on_event = stop
    assert (await world.run()).state == "stopped"
    world.on_event = lambda event: None


def made_of(world: World, name: str) -> list[str]:
    """The servers of the jobs of a step."""
    jobs = [job.request for job in world.service.jobs.values()]
    return [server for made in jobs if made["name"].startswith(name) for server in made["server_ids"]]


def test_nothing_follows_a_failure_on_a_server_that_a_retry_has(in_world: InWorld) -> None:
    rollout = {"waves": [{"name": "w"}], "on_failure": {"step": "logs"}}
    plan = rollout_plan(rollout, fleet(3), steps=(step("upgrade"), step("logs")))

    async def story(world: World) -> None:
        await _until_the_first_step_is_over(world)
        child_has(world, ["s000"])
        assert (await world.run()).state == "finished"
        assert made_of(world, "logs") == ["s001"]

    in_world(plan, story, tasks={"failing_servers": ["s000", "s001"]})


_CHECKED = rollout_plan(
    {"waves": [{"name": "w", "soak": "1m"}], "checks": [{"name": "looked", "step": "look"}]},
    fleet(2),
    steps=(step("upgrade"), step("look")),
)


def test_a_server_that_a_retry_will_leave_to_the_run_is_checked(in_world: InWorld) -> None:
    async def story(world: World) -> None:
        await _until_the_first_step_is_over(world)
        child_has(world, ["s000", "s001"])
        assert (await world.run()).exit_code == 0
        assert made_of(world, "look") == ["s000", "s001"]

    in_world(_CHECKED, story)


def test_a_server_that_a_retry_has_touched_is_checked_by_that_one(in_world: InWorld) -> None:
    async def story(world: World) -> None:
        await _until_the_first_step_is_over(world)
        child_has(world, ["s000"])
        journal = world.store.open_run(_CHILD, Owner("h", 3, 3, "of the retry"))
        began = e.RunStarted(2.0, "test", "", "0", simulated=False, watched=True)
        await journal.append([began, e.WaveStarted(2.0, 0), e.Intended(2.0, 0)])
        journal.close()
        assert (await world.run()).exit_code == 0
        assert made_of(world, "look") == ["s001"]

    in_world(_CHECKED, story)
