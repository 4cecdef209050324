"""Journals that lost their end, and what people excluded then: no job is forgotten that the lost part told of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from runner.plan.plan import Plan
from runner.run import events as e
from tests.engine.conftest import InWorld, World
from tests.engine.rollout_plans import SUBMIT, fleet, rollout_plan, step

_SLOWLY = {**SUBMIT, "rate": "1/m", "burst": 1}
_LONG = {"duration_s": 600.0}


def plan_of(servers: int, per_job: int, *, budget: dict[str, Any] | None = None, slowly: bool = False) -> Plan:
    """One wave."""
    rollout = {"waves": [{"name": "w"}], "order": "listed", "budget": budget or {}}
    submit = _SLOWLY if slowly else SUBMIT
    return rollout_plan(rollout, fleet(servers), steps=(step("upgrade", per_job),), submit=submit)


async def _until(world: World, is_last: Callable[[e.Event], object]) -> None:
    """A process that is stopped when such an event comes."""

    def stop(event: e.Event) -> None:
        if is_last(event) and world.engine is not None:
            world.engine.stop("enough")

    world.on_event = stop
    assert (await world.run()).state == "stopped"
    world.on_event = lambda event: None


def made_on(world: World, server: str) -> int:
    return sum(server in job.request["server_ids"] for job in world.service.jobs.values())


def _lose(world: World, kind: type[e.Event], nth: int = 0) -> None:
    """The journal loses its end, from the n-th such event on."""
    places = [place for place, event in enumerate(world.events()) if isinstance(event, kind)]
    world.tear(len(world.events()) - places[nth])


def refused_in(world: World) -> list[str | None]:
    return [event.refused for event in world.events() if isinstance(event, e.Commanded)]


def test_a_server_that_was_taken_in_again_in_the_lost_end_gets_no_second_job(in_world: InWorld) -> None:
    """The command is still there, and is carried out once more: by then the job is known."""

    async def story(world: World) -> None:
        running = asyncio.create_task(_until(world, lambda event: isinstance(event, e.Accepted) and event.request == 2))
        await asyncio.sleep(5.0)
        world.command("exclude", "s002")
        await asyncio.sleep(5.0)
        world.command("include", "s002")
        await running
        _lose(world, e.Included)
        await world.run()
        assert made_on(world, "s002") == 1
        assert world.report()["jobs"][2]["state"] == "conflict"
        (job,) = [job for job in world.service.jobs.values() if "s002" in job.request["server_ids"]]
        assert refused_in(world) == [None, f"s002 got a job all the same: {job.job_id}"]

    in_world(plan_of(3, 1, slowly=True), story, tasks=_LONG)


def test_a_piece_of_what_was_taken_in_again_in_the_lost_end_is_told_of(in_world: InWorld) -> None:
    """A limit had room for half of the request only, so the name of the request itself is not in the list."""

    async def story(world: World) -> None:
        running = asyncio.create_task(
            _until(world, lambda event: isinstance(event, e.Accepted) and made_on(world, "s002"))
        )
        for action in ("exclude", "include"):
            await asyncio.sleep(5.0)
            world.command(action, 'labels.hyper == "h1"')
        await running
        _lose(world, e.Included)
        await world.run()
        assert [made_on(world, f"s{n:03}") for n in range(4)] == [1, 1, 1, 0]
        shown = {job["tasks"][0]["server_id"]: job["state"] for job in world.report()["jobs"]}
        assert shown == {"s000": "settled", "s001": "settled", "s002": "conflict", "s003": "withdrawn"}

    in_world(plan_of(4, 2, budget={"max_unavailable": 1}), story)


def _refuse_all(world: World, *, refused: bool) -> None:
    world.network.refuses_reads = world.network.refuses_creates = refused
    world.network.key += "" if refused else ", and another"


@pytest.mark.parametrize("whom", ["s000", "true"])
@pytest.mark.parametrize("taken_in_again", [False, True])
def test_who_is_excluded_before_anybody_could_look_is_left_out_once_somebody_did(
    in_world: InWorld, whom: str, *, taken_in_again: bool
) -> None:
    """The journal is lost whole, and the credential is refused: what was sent is not known, so nothing is cut."""

    async def story(world: World) -> None:
        await _until(world, lambda event: isinstance(event, e.Accepted))
        world.tear(1000)
        _refuse_all(world, refused=True)
        world.command("exclude", whom, why="a fan is broken")
        if taken_in_again:
            world.command("include", whom)
        assert (await world.run()).state == "unusable"
        assert refused_in(world) == [None] * (1 + taken_in_again)
        assert world.report()["counts"]["excluded"] == 0
        _refuse_all(world, refused=False)
        assert (await world.run()).state == "finished"
        everyone = [f"s{n:03}" for n in range(8)]
        sent_before, left = everyone[:4], everyone[4:] if whom == "true" and not taken_in_again else []
        assert [made_on(world, server) for server in everyone] == [int(server not in left) for server in everyone]
        excluded = [job for job in world.report()["jobs"] if job["excluded"]]
        assert [task["server_id"] for job in excluded for task in job["tasks"]] == left
        assert all(job["excluded"]["why"] == "a fan is broken" for job in excluded)
        assert not {task["server_id"] for job in excluded for task in job["tasks"]}.intersection(sent_before)

    in_world(plan_of(8, 4), story, tasks=_LONG)
