"""The service is away for a while, in the middle of a run: that uses nothing up, and decides nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise

import pytest

from runner.errors import ExitCode
from runner.model import RunState
from runner.run.verdict import Verdict
from runner.spec.campaign import Submit, Watch
from tests.conftest import PlanMaker
from tests.engine.conftest import InWorld, World

AWAY = ["unreachable", "status_502", "status_503", "reset", "hang"]
NOT_THE_SERVICE = {
    "web_page": "a web page answers in place of the service, as of a login or a proxy: Sign in Please sign in",
    "redirect": "it redirects to https://login.example/sign-in",
}
ONE_A_SECOND = Submit(rate=1.0, burst=1, concurrency=4, settle_s=15.0, outage_s=1800.0)
WATCH = Watch(rate=10.0, job_timeout_s=7200.0)
FAST = {"listing": {"lag_s": 2.0}, "tasks": {"duration_s": 60.0}}
SENT_BEFORE = 21


async def away(world: World, how: str, lasts_s: float) -> Verdict:
    """A run of one request a second; after twenty the service is away."""
    network = world.network

    def is_back() -> None:
        network.faults, network.fault_chance, network.breaks_reads = (), 0.0, ""

    running = asyncio.create_task(world.run())
    await asyncio.sleep(20.5)
    network.faults, network.fault_chance, network.breaks_reads = [how], 1.0, how
    asyncio.get_running_loop().call_later(lasts_s, is_back)
    return await running


@pytest.mark.parametrize("how", AWAY)
@pytest.mark.parametrize("minutes", [1, 12, 25])
def test_a_service_that_comes_back_in_time_was_never_away(
    plan_of: PlanMaker, in_world: InWorld, how: str, minutes: int
) -> None:
    async def story(world: World) -> None:
        assert (await away(world, how, minutes * 60.0)).exit_code is ExitCode.OK
        assert Counter(job["state"] for job in world.report()["jobs"]) == {"settled": 60}
        assert len(world.service.jobs) == 60
        assert max(world.state.attempts) <= 2  # what was in doubt was sent again

    in_world(plan_of((60,), (1,), ONE_A_SECOND, WATCH), story, **FAST)


@pytest.mark.parametrize("how", AWAY)
def test_a_service_that_stays_away_stops_the_lane_and_decides_nothing(
    plan_of: PlanMaker, in_world: InWorld, how: str
) -> None:
    async def story(world: World) -> None:
        verdict = await away(world, how, 7200.0)
        assert (verdict.state, verdict.exit_code) == (RunState.UNUSABLE, ExitCode.UNUSABLE)
        states = Counter(job["state"] for job in world.report()["jobs"])
        assert states["settled"] == SENT_BEFORE
        assert states["in_doubt"] <= ONE_A_SECOND.concurrency
        assert states["planned"] + states["in_doubt"] == 60 - SENT_BEFORE
        await asyncio.sleep(7200.0)
        await world.run()
        assert Counter(job["state"] for job in world.report()["jobs"]) == {"settled": 60}
        assert len(world.service.jobs) == 60

    in_world(plan_of((60,), (1,), ONE_A_SECOND, WATCH), story, **FAST)


@pytest.mark.parametrize("how", NOT_THE_SERVICE)
def test_what_answers_in_place_of_the_service_is_named_within_minutes(
    plan_of: PlanMaker, in_world: InWorld, how: str
) -> None:
    async def story(world: World) -> None:
        verdict = await away(world, how, 600.0)
        assert (verdict.state, verdict.reason) == (RunState.UNUSABLE, NOT_THE_SERVICE[how])
        stopped_at = next(event.at for event in world.events() if event.kind == "lane_stopped")
        assert stopped_at - (1_000_000.0 + 20.5) < 120.0
        assert len(world.network.sent_at) <= SENT_BEFORE + ONE_A_SECOND.concurrency
        assert len(world.service.jobs) == SENT_BEFORE

    in_world(plan_of((60,), (1,), ONE_A_SECOND, WATCH), story, **FAST)


def test_a_service_that_nobody_can_reach_is_tried_by_one_request_at_a_time(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    async def story(world: World) -> None:
        sent_before = SENT_BEFORE + ONE_A_SECOND.concurrency
        await away(world, "unreachable", 1700.0)
        tries = [at for at in world.network.sent_at[sent_before:] if at < world.network.sent_at[0] + 1700.0]
        pauses = [later - earlier for earlier, later in pairwise(tries)]
        assert 30 <= len(tries) <= 80
        assert max(pauses) < 61.0

    in_world(plan_of((60,), (1,), ONE_A_SECOND, WATCH), story, **FAST)


def test_a_service_that_was_never_reached_is_given_a_minute(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        world.network.faults, world.network.fault_chance = ["unreachable"], 1.0
        began = world.clock.now()
        assert (await world.run()).state is RunState.UNUSABLE
        assert 60.0 <= world.clock.now() - began < 120.0
        assert Counter(job["state"] for job in world.report()["jobs"]) == {"planned": 60}

    in_world(plan_of((60,), (1,), ONE_A_SECOND, WATCH), story, **FAST)
