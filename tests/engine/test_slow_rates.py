"""The pace of a whole run, from one create an hour up: it takes what the rate allows, and no intent waits for its turn."""

from __future__ import annotations

import asyncio
import math

import pytest

from runner.engine.pace import Pace
from runner.plan.plan import Plan
from runner.rules.answers import Throttle
from runner.run import events as e
from runner.spec.campaign import Submit, Watch
from tests.conftest import PlanMaker
from tests.engine.conftest import InWorld, VirtualClock, World

HOUR = 3600.0
# Rate per second, how many creates.
RATES = [
    pytest.param(1 / HOUR, 12, id="1 an hour"),
    pytest.param(0.02, 50, id="0.02 a second"),
    pytest.param(0.05, 50, id="0.05 a second"),
    pytest.param(10 / 60, 50, id="10 a minute"),
    pytest.param(0.5, 100, id="0.5 a second"),
    pytest.param(1.0, 120, id="1 a second"),
    pytest.param(8.0, 160, id="8 a second"),
]
WATCH = Watch(rate=10.0, job_timeout_s=1800.0)


def plan_at(plan_of: PlanMaker, rate: float, creates: int, burst: int = 1, concurrency: int = 32) -> Plan:
    return plan_of((creates,), (1,), Submit(rate=rate, burst=burst, concurrency=concurrency), WATCH)


def submitted_in(world: World) -> float:
    """Seconds from the first create to the last."""
    return world.network.sent_at[-1] - world.network.sent_at[0]


def lapsed(world: World) -> int:
    return sum(isinstance(event, e.Lapsed) for event in world.events())


@pytest.mark.parametrize("burst", [1, 10])
@pytest.mark.parametrize(("rate", "creates"), RATES)
def test_the_whole_takes_what_the_rate_allows(
    plan_of: PlanMaker, in_world: InWorld, rate: float, creates: int, burst: int
) -> None:
    async def story(world: World) -> None:
        await world.run(watched=False)
        assert len(world.network.sent_at) == creates
        assert submitted_in(world) <= 1.05 * (creates - burst) / rate
        assert lapsed(world) == 0

    in_world(plan_at(plan_of, rate, creates, burst), story)


@pytest.mark.parametrize(("rate", "creates"), RATES)
def test_on_a_slow_disk_too(plan_of: PlanMaker, in_world: InWorld, rate: float, creates: int) -> None:
    async def story(world: World) -> None:
        world.commit_s = 0.3
        await world.run(watched=False)
        assert submitted_in(world) <= 1.05 * (creates - 1) / rate + 0.6
        assert lapsed(world) == 0

    in_world(plan_at(plan_of, rate, creates), story)


async def fastest(clock: VirtualClock, rate: float, burst: int, creates: int, throttled: dict[int, Throttle]) -> float:
    """How long callers in a hurry take at the same pace, throttled at the same creates, 0.05 s after each was sent."""
    pace = Pace(rate, burst, clock)
    began = clock.monotonic()
    sent = 0
    while sent < creates + len(throttled):
        await pace.wait()
        if sent in throttled:
            sent_at = clock.monotonic()
            await asyncio.sleep(0.05)
            pace.throttled(throttled[sent], sent_at)
        sent += 1
    return clock.monotonic() - began


@pytest.mark.parametrize(
    ("fault", "throttle"),
    [
        ("throttled", Throttle()),
        ("throttled_for_a_while", Throttle(retry_after_s=3.0)),
        ("throttled_for_a_minute", Throttle(retry_after_s=60.0)),
    ],
)
@pytest.mark.parametrize(("rate", "creates"), RATES)
def test_throttled_in_the_middle_it_takes_what_is_left_of_the_rate(
    plan_of: PlanMaker, in_world: InWorld, rate: float, creates: int, fault: str, throttle: Throttle
) -> None:
    middle = creates // 2

    async def story(world: World) -> None:
        world.network.script += [*[""] * middle, fault]
        await world.run(watched=False)
        best = await fastest(world.clock, rate, 1, creates, {middle: throttle})
        assert len(world.network.sent_at) == creates + 1
        assert submitted_in(world) <= 1.05 * best
        assert lapsed(world) == 0

    in_world(plan_at(plan_of, rate, creates), story)


async def set_rate(world: World, after_s: float, rate: str) -> int:
    """Change the rate; return how many creates had been sent."""
    await asyncio.sleep(after_s)
    world.command("set", rate=rate)
    await asyncio.sleep(1.0)
    return len(world.network.sent_at)


def test_a_rate_that_is_raised_holds_at_once(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        running = asyncio.ensure_future(world.run(watched=False))
        assert await set_rate(world, 100.0, "10/s") < 15
        began = world.clock.now()
        await running
        assert world.clock.now() - began <= 1.05 * 100 / 10
        assert lapsed(world) == 0

    in_world(plan_at(plan_of, 1 / HOUR, 100), story)


@pytest.mark.parametrize("after_s", [0.1, 1.0, 1.234, 3.3])
@pytest.mark.parametrize("burst", [1, 10])
def test_a_rate_that_is_lowered_leaves_no_intent_waiting(
    plan_of: PlanMaker, in_world: InWorld, burst: int, after_s: float
) -> None:
    async def story(world: World) -> None:
        running = asyncio.ensure_future(world.run(watched=False))
        sent = await set_rate(world, after_s, "6/h")
        assert sent < 50
        await running
        assert (60 - sent - 1) * 600 <= submitted_in(world) <= 1.05 * (60 - sent) * 600
        assert lapsed(world) == 0

    in_world(plan_at(plan_of, 10.0, 60, burst), story)


def test_an_unlimited_rate_that_a_minute_of_throttling_ends_goes_on_at_what_is_left(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    """What was intended ahead, without a limit, lapses once; nothing does after that."""

    async def story(world: World) -> None:
        world.network.script += [*[""] * 100, "throttled_for_a_minute"]
        await world.run(watched=False)
        assert len(world.network.sent_at) == 301
        throttled_at = next(event.at for event in world.events() if isinstance(event, e.Throttled))
        assert all(event.at < throttled_at + 1.0 for event in world.events() if isinstance(event, e.Lapsed))
        assert lapsed(world) <= 2 * 8
        assert submitted_in(world) <= 60.0 + 1.05 * 300 / 100

    in_world(plan_at(plan_of, math.inf, 300, 1, 8), story)


def test_intents_do_not_lapse_again_and_again_where_the_service_takes_its_time(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    """Without a limit requests are intended ahead of a free connection; not so where that is longer than they may wait."""

    async def story(world: World) -> None:
        world.network.latency_s = 15.0
        await world.run(watched=False)
        assert lapsed(world) <= 8
        assert submitted_in(world) <= 15.0 * 100 / 8 + 20.0

    in_world(plan_at(plan_of, math.inf, 100, 1, 8), story)
