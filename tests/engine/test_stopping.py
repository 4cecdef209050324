"""Whatever a run waits for, it leaves: within two seconds of a stop, of the end of intake, of the end of its lane."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from runner.engine.run import RunEngine
from runner.errors import ExitCode
from runner.run import events as e
from runner.spec.campaign import Submit, Watch
from tests.conftest import PlanMaker
from tests.engine.conftest import InWorld, World, until_it_dies

HOUR = 3600.0
RATES = [1 / HOUR, 0.02, 0.05, 10 / 60, 0.5, 1.0, 8.0]
WATCH = Watch(rate=10.0, job_timeout_s=1800.0)
FAST = {"listing": {"lag_s": 0.5}, "tasks": {"duration_s": 20.0}}
# What is asked of a run, and how it then ends.
ENDS: list[tuple[str, Callable[[World], None], ExitCode]] = [
    ("stop", lambda world: engine_of(world).stop("SIGINT received"), ExitCode.STOPPED),
    ("end of intake", lambda world: engine_of(world).end_intake("enough"), ExitCode.STOPPED),
]
by_end = pytest.mark.parametrize(("ask", "code"), [pytest.param(ask, code, id=name) for name, ask, code in ENDS])


def engine_of(world: World) -> RunEngine:
    assert world.engine is not None
    return world.engine


async def seconds_to_end(world: World, running: asyncio.Future[Any], ask: Callable[[World], None]) -> float:
    began = world.clock.monotonic()
    ask(world)
    await running
    return world.clock.monotonic() - began


@by_end
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rate", RATES)
def test_at_a_slow_rate_and_at_any_moment(
    plan_of: PlanMaker, in_world: InWorld, rate: float, seed: int, ask: Callable[[World], None], code: ExitCode
) -> None:
    async def story(world: World) -> None:
        running = asyncio.ensure_future(world.run(watched=False))
        await asyncio.sleep(random.Random(seed).uniform(0.0, 8.0 / rate))
        assert await seconds_to_end(world, running, ask) < 2.0
        assert running.result().exit_code is code

    in_world(plan_of((60,), (1,), Submit(rate=rate, burst=1, concurrency=8), WATCH), story)


@by_end
@pytest.mark.parametrize("after_s", [0.3, 1.0, 5.0, 9.5, 59.0])
@pytest.mark.parametrize("rate", [*RATES, math.inf])
def test_in_a_pause_of_a_minute(
    plan_of: PlanMaker, in_world: InWorld, rate: float, after_s: float, ask: Callable[[World], None], code: ExitCode
) -> None:
    async def story(world: World) -> None:
        throttled = asyncio.Event()
        world.on_event = lambda event: throttled.set() if isinstance(event, e.Throttled) else None
        world.network.script += [*[""] * 5, "throttled_for_a_minute"]
        running = asyncio.ensure_future(world.run(watched=False))
        await throttled.wait()
        await asyncio.sleep(after_s)
        assert await seconds_to_end(world, running, ask) < 2.0
        assert running.result().exit_code is code

    in_world(plan_of((60,), (1,), Submit(rate=rate, burst=1, concurrency=8), WATCH), story)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("fault", ["throttled_for_a_minute", "status_503", "unreachable"])
def test_in_reads_that_fail(plan_of: PlanMaker, in_world: InWorld, fault: str, seed: int) -> None:
    """Of jobs, of the list for a request in doubt."""

    async def story(world: World) -> None:
        world.network.script += ["", "lost_after", "lost_before"]
        running = asyncio.ensure_future(world.run())
        await asyncio.sleep(3.0)
        world.network.breaks_reads = fault
        await asyncio.sleep(random.Random(seed).uniform(0.0, 200.0))
        assert await seconds_to_end(world, running, lambda world: engine_of(world).stop("SIGINT received")) < 2.0

    in_world(plan_of((60,), (1,), Submit(rate=8.0, burst=1, concurrency=8), WATCH), story, **FAST)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("fault", ["throttled_for_a_minute", "status_503", ""])
def test_in_the_survey_of_a_resumed_run(plan_of: PlanMaker, in_world: InWorld, fault: str, seed: int) -> None:
    async def story(world: World) -> None:
        await until_it_dies(world.run(crash_after=20))
        world.network.breaks_reads = fault
        running = asyncio.ensure_future(world.run())
        await asyncio.sleep(random.Random(seed).uniform(0.0, 14.0 if not fault else 100.0))
        assert await seconds_to_end(world, running, lambda world: engine_of(world).stop("SIGINT received")) < 2.0

    in_world(plan_of((60,), (1,), Submit(rate=8.0, burst=1, concurrency=8), WATCH), story, **FAST)


@pytest.mark.parametrize("rate", [1 / HOUR, 0.05, 1.0])
def test_while_paused_by_a_person(plan_of: PlanMaker, in_world: InWorld, rate: float) -> None:
    async def story(world: World) -> None:
        running = asyncio.ensure_future(world.run(watched=False))
        await asyncio.sleep(2.5 / rate)
        world.command("pause")
        await asyncio.sleep(10 / rate)
        sent = len(world.network.sent_at)
        assert sent <= 4
        assert await seconds_to_end(world, running, lambda world: engine_of(world).stop("SIGINT received")) < 2.0
        assert len(world.network.sent_at) == sent

    in_world(plan_of((60,), (1,), Submit(rate=rate, burst=1, concurrency=8), WATCH), story)


def test_a_lane_that_cannot_be_used_leaves_a_lookup_in_the_middle(plan_of: PlanMaker, in_world: InWorld) -> None:
    """The list is throttled for a minute; meanwhile the service says that the project is another one."""

    async def story(world: World) -> None:
        stopped_at: list[float] = []
        world.on_event = lambda event: (
            stopped_at.append(world.clock.monotonic()) if isinstance(event, e.LaneStopped) else None
        )
        world.network.script += ["", "lost_after", *[""] * 8, "wrong_project"]
        world.network.breaks_reads = "throttled_for_a_minute"
        running = asyncio.ensure_future(world.run(watched=False))
        assert (await running).exit_code is ExitCode.UNUSABLE
        assert stopped_at[0] - world.network.sent_at[0] < 12.0
        assert world.clock.monotonic() - stopped_at[0] < 2.0

    in_world(plan_of((60,), (1,), Submit(rate=1.0, burst=1, concurrency=8), WATCH), story, **FAST)


# What may be asked of a run from another shell, or by a clock, that ends it: and how long a login lasts that is in its way.
ASKED: list[tuple[str, Callable[[World], None]]] = [
    ("SIGINT", lambda world: engine_of(world).stop("SIGINT received")),
    ("SIGTERM", lambda world: engine_of(world).stop("SIGTERM received")),
    ("abort", lambda world: world.command("abort")),
    ("deadline", lambda world: engine_of(world).end_intake("deadline 05:00 reached")),
]


def logs_in(world: World) -> None:
    world.network.login_chance, world.network.logins_s = 1.0, (70.0,)


def logs_in_again(world: World) -> None:
    world.network.renew_chance, world.network.logins_s = 1.0, (70.0,)


def throttled(world: World) -> None:
    world.network.script += ["throttled_for_a_minute"] * 50


def throttled_by_window(world: World) -> None:
    world.network.script += ["throttled_for_a_window"] * 50


def cut_off(world: World) -> None:
    world.network.faults, world.network.fault_chance, world.network.breaks_reads = ["unreachable"], 1.0, "unreachable"


def busy(world: World) -> None:
    world.network.script += ["conflicting_operation"] * 500


def in_doubt(world: World) -> None:
    world.network.faults, world.network.fault_chance, world.network.breaks_reads = ["lost_before"], 1.0, "status_503"


WAITS = [logs_in, logs_in_again, throttled, throttled_by_window, cut_off, busy, in_doubt]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rate", [0.05, 8.0, math.inf])
@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("ask", [pytest.param(ask, id=name) for name, ask in ASKED])
def test_whatever_it_waits_for(
    plan_of: PlanMaker,
    in_world: InWorld,
    wait: Callable[[World], None],
    ask: Callable[[World], None],
    rate: float,
    seed: int,
) -> None:
    async def story(world: World) -> None:
        wait(world)
        world.network.script.extendleft([""] * 3 if world.network.script else [])
        running = asyncio.ensure_future(world.run(watched=False))
        await asyncio.sleep(random.Random(seed).uniform(1.0, 55.0))
        asked_at = world.clock.monotonic()
        if wait is in_doubt and ask in {ASKED[2][1], ASKED[3][1]}:
            ask(world)  # what is in doubt is looked up to its end; nothing new is sent meanwhile
            await asyncio.sleep(2.0)
            world.network.breaks_reads = ""
            await running
        else:
            assert await seconds_to_end(world, running, ask) < 2.0
        assert [at for at in world.network.sent_at if at > asked_at + 1.0] == []

    in_world(plan_of((60,), (1,), Submit(rate=rate, burst=1, concurrency=8, attempts=100), WATCH), story)


@pytest.mark.parametrize("rate", [0.05, 8.0, math.inf])
@pytest.mark.parametrize("wait", WAITS)
def test_a_pause_is_obeyed_whatever_it_waits_for(
    plan_of: PlanMaker, in_world: InWorld, wait: Callable[[World], None], rate: float
) -> None:
    async def story(world: World) -> None:
        wait(world)
        running = asyncio.ensure_future(world.run(watched=False))
        await asyncio.sleep(30.0)
        world.command("pause")
        await asyncio.sleep(2.0)
        sent = len(world.network.sent_at)
        await asyncio.sleep(400.0)
        assert len(world.network.sent_at) == sent
        assert await seconds_to_end(world, running, lambda world: engine_of(world).stop("SIGINT received")) < 2.0

    in_world(plan_of((60,), (1,), Submit(rate=rate, burst=1, concurrency=8, attempts=100), WATCH), story)
