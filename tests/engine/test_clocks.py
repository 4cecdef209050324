"""A wall clock that somebody sets, and a machine that sleeps, while a run goes on or between two processes of it."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner.engine.clock import Reading, RunClock, SystemClock
from runner.engine.run import Deadline
from runner.errors import ExitCode
from runner.plan.plan import Plan
from runner.run import events as e
from runner.run.gate import Patience
from runner.spec.campaign import Submit, Watch
from tests.cli.processes import works
from tests.conftest import PlanMaker
from tests.engine.conftest import InWorld, World, until_it_dies
from tests.engine.rollout_plans import fleet, rollout_plan, step

FAST = {"listing": {"lag_s": 1.0}, "tasks": {"duration_s": 60.0}}
ONE_A_SECOND = Submit(rate=1.0, burst=1, concurrency=4)
HOUR = 3600.0
ROOT = Path(__file__).parents[2]
IN_A_TIME_NAMESPACE = ("unshare", "--time", "--boottime", "90000", "--fork")


def window(begin_s: float, end_s: float) -> dict[str, object]:
    """One that is open so long after the beginning of a story, and no longer."""
    begin, end = (datetime.fromtimestamp(1_000_000.0 + at_s, UTC) for at_s in (begin_s, end_s))
    return {"allow": [f"daily {begin:%H:%M}-{end:%H:%M}"], "timezone": "UTC"}


def in_a_window(count: int = 300, **rollout: object) -> object:
    """Servers one by one, one a second, in the first ten minutes or so."""
    return rollout_plan(
        {"waves": [{"name": "w"}], "window": window(-600.0, 600.0), **rollout},
        fleet(count),
        steps=[step("upgrade", 1, expected_duration="1m")],
        submit={"rate": "1/s", "burst": 1, "concurrency": 4},
    )


async def disturbed(world: World, after_s: float, *, sleep_s: float = 0.0, set_s: float = 0.0) -> float:
    """Have the machine sleep, or its wall clock set, while a run goes on; when that was, in real time."""
    await asyncio.sleep(after_s)
    if sleep_s:
        world.clock.suspend(sleep_s)
    if set_s:
        world.set_wall(set_s)
    return world.clock.monotonic()


def sent_after(world: World, at: float) -> int:
    return sum(sent > at for sent in world.network.sent_at)


# On a slow disk a request always waits for its slot, and is intended already.
@pytest.mark.parametrize("commit_s", [0.0, 0.3])
@pytest.mark.parametrize(("sleep_s", "set_s"), [(3 * HOUR, 0.0), (0.0, 3 * HOUR), (0.0, -3 * HOUR)])
def test_nothing_is_sent_in_a_window_that_is_over_though_nobody_saw_it_end(
    in_world: InWorld, sleep_s: float, set_s: float, commit_s: float
) -> None:
    async def story(world: World) -> None:
        world.commit_s = commit_s
        running = asyncio.create_task(world.run())
        at = await disturbed(world, 100.5, sleep_s=sleep_s, set_s=set_s)
        before = len(world.network.sent_at)
        assert 50 < before < 110
        await asyncio.sleep(HOUR)
        assert sent_after(world, at) == 0
        assert world.engine is not None
        world.engine.stop("enough")
        await running

    in_world(in_a_window(), story, **FAST)


def test_a_window_that_is_over_because_the_clock_was_set_ends_a_run_that_waits_for_none(in_world: InWorld) -> None:
    async def story(world: World) -> None:
        world.patience = Patience(for_window=False)
        at, verdict = await asyncio.gather(disturbed(world, 100.5, set_s=3 * HOUR), world.run())
        assert verdict.reason.startswith("no window is open before")
        assert world.clock.monotonic() - at < 120.0  # what was at work then takes a minute

    in_world(in_a_window(), story, **FAST)


def test_a_window_that_opens_because_the_clock_was_set_is_open(in_world: InWorld) -> None:
    async def story(world: World) -> None:
        running = asyncio.create_task(world.run())
        await disturbed(world, 10.0, set_s=5 * HOUR)
        await asyncio.sleep(90.0)
        assert len(world.network.sent_at) > 20
        world.clock.set_wall(-5 * HOUR)
        await running

    plan = in_a_window(30, window=window(4.5 * HOUR, 6 * HOUR))
    in_world(plan, story, **FAST)


@pytest.mark.parametrize(("sleep_s", "set_s"), [(3 * HOUR, 0.0), (0.0, 3 * HOUR)])
@pytest.mark.parametrize("rate", [1.0, 50.0])
def test_nothing_is_sent_after_a_deadline_that_passed_unseen(
    plan_of: PlanMaker, in_world: InWorld, sleep_s: float, set_s: float, rate: float
) -> None:
    async def story(world: World) -> None:
        running = asyncio.create_task(world.run(deadline=Deadline(world.clock.wall() + HOUR, "05:00")))
        at = await disturbed(world, 3.5, sleep_s=sleep_s, set_s=set_s)
        verdict = await running
        assert verdict.reason.startswith("deadline 05:00 reached")
        assert sent_after(world, at) == 0

    in_world(plan_of((900,), (1,), Submit(rate=rate, burst=1, concurrency=4, settle_s=15.0)), story, **FAST)


def test_a_deadline_comes_when_the_wall_clock_says_so(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        running = asyncio.create_task(world.run(deadline=Deadline(world.clock.wall() + 20.0, "05:00")))
        await disturbed(world, 10.5, set_s=-HOUR)
        assert (await running).exit_code is ExitCode.OK

    in_world(plan_of((60,), (1,), ONE_A_SECOND), story, **FAST)


def half_an_hour_of_requests() -> Plan:
    return rollout_plan(
        {"waves": [{"name": "w"}]},
        fleet(400),
        steps=[step("upgrade", 1)],
        submit={"rate": "12/m", "burst": 1, "concurrency": 4},
    )


def in_ten_minutes(world: World) -> str:
    return datetime.fromtimestamp(world.clock.wall() + 600.0, UTC).isoformat()


@pytest.mark.parametrize(("sleep_s", "set_s"), [(3 * HOUR, 0.0), (0.0, 3 * HOUR)])
def test_nothing_is_sent_after_a_deadline_that_a_person_set_and_that_passed_unseen(
    in_world: InWorld, sleep_s: float, set_s: float
) -> None:
    async def story(world: World) -> None:
        running = asyncio.create_task(world.run())
        await disturbed(world, 3.5)
        world.command("set", deadline=in_ten_minutes(world))
        at = await disturbed(world, 30.0, sleep_s=sleep_s, set_s=set_s)
        assert (await running).reason.startswith("the deadline of the rollout has passed")
        assert sent_after(world, at) == 0

    in_world(half_an_hour_of_requests(), story, **FAST)


@pytest.mark.parametrize(("is_span", "lasts_s"), [(True, 600.0), (False, 1200.0)])
def test_a_deadline_that_a_person_sets_is_a_span_of_the_run_or_a_moment_of_the_wall_clock(
    in_world: InWorld, is_span: bool, lasts_s: float
) -> None:
    """The wall clock is set back by an hour before the command, and by ten minutes after it."""

    async def story(world: World) -> None:
        running = asyncio.create_task(world.run())
        at = await disturbed(world, 3.5, set_s=-HOUR)
        world.command("set", deadline="10m" if is_span else in_ten_minutes(world))
        await disturbed(world, 60.0, set_s=-600.0)
        assert (await running).reason.startswith("the deadline of the rollout has passed")
        assert world.network.sent_at[-1] - at == pytest.approx(lasts_s, abs=6.0)

    in_world(half_an_hour_of_requests(), story, **FAST)


def test_a_deadline_that_passes_while_the_machine_sleeps_is_noticed_within_a_minute(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    async def story(world: World) -> None:
        world.command("pause")  # so that nothing is sent, before which a run would look at the clock
        running = asyncio.create_task(world.run(deadline=Deadline(world.clock.wall() + 3 * HOUR, "05:00")))
        at = await disturbed(world, 10.0, sleep_s=4 * HOUR)
        assert (await running).reason.startswith("deadline 05:00 reached")
        assert world.clock.monotonic() - at < 61.0

    in_world(plan_of((4,), (1,), ONE_A_SECOND), story, **FAST)


def test_a_slot_that_comes_while_the_machine_sleeps_is_used_within_a_minute(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    async def story(world: World) -> None:
        running = asyncio.create_task(world.run(watched=False))
        at = await disturbed(world, 60.0, sleep_s=2 * HOUR)
        await running
        assert world.network.sent_at[1] - at < 61.0

    in_world(plan_of((2,), (1,), Submit(rate=1 / HOUR, burst=1, concurrency=4)), story, **FAST)


def test_a_resumed_run_waits_for_the_list_no_longer_than_a_minute_after_the_machine_slept(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    async def story(world: World) -> None:
        await until_it_dies(world.run(crash_after=10))
        running = asyncio.create_task(world.run())
        at = await disturbed(world, 10.0, sleep_s=2 * HOUR)
        await running
        surveyed = next(event.at for event in world.events() if isinstance(event, e.Surveyed))
        assert surveyed - at < 70.0

    in_world(plan_of((20,), (1,), Submit(rate=1.0, burst=1, concurrency=4, settle_s=HOUR)), story, **FAST)


@pytest.mark.parametrize("sleep_s", [0.0, 8.0])
def test_what_waits_for_its_slot_at_the_deadline_of_a_rollout_is_not_sent(in_world: InWorld, sleep_s: float) -> None:
    async def story(world: World) -> None:
        began = world.clock.monotonic()
        world.commit_s = 0.3  # so the request of 50.3 is intended at 49.7
        await asyncio.gather(disturbed(world, 50.15, sleep_s=sleep_s), world.run())
        assert sent_after(world, began + 57.0) == 0
        assert len(world.network.sent_at) == (5 if sleep_s else 6)

    plan = rollout_plan(
        {"waves": [{"name": "w"}], "deadline": "57s"},
        fleet(20),
        steps=[step("upgrade", 1)],
        submit={"rate": "6/m", "burst": 1, "concurrency": 4},
    )
    in_world(plan, story, **FAST)


def test_the_deadline_of_a_rollout_counts_the_time_that_the_machine_sleeps(in_world: InWorld) -> None:
    async def story(world: World) -> None:
        running = asyncio.create_task(world.run())
        at = await disturbed(world, 30.5, sleep_s=3 * HOUR)
        verdict = await running
        assert verdict.reason.startswith("the deadline of the rollout has passed")
        assert sent_after(world, at) == 0

    plan = rollout_plan(
        {"waves": [{"name": "w"}], "deadline": "1h"},
        fleet(60),
        steps=[step("upgrade", 1)],
        submit={"rate": "1/s", "burst": 1, "concurrency": 4},
    )
    in_world(plan, story, **FAST)


@pytest.mark.parametrize("set_s", [HOUR, -HOUR])
@pytest.mark.parametrize("between", [False, True])
def test_a_soak_takes_as_long_as_it_should_whatever_the_wall_clock_says(
    in_world: InWorld, set_s: float, between: bool
) -> None:
    async def story(world: World) -> None:
        async def setting() -> None:
            await disturbed(world, 300.0, set_s=set_s)

        if between:
            running = asyncio.create_task(world.run())
            await asyncio.sleep(200.0)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            world.set_wall(set_s)
            verdict = await world.run()
        else:
            _, verdict = await asyncio.gather(setting(), world.run())
        assert verdict.exit_code is ExitCode.OK
        waves = [event.at for event in world.events() if isinstance(event, e.WaveStarted)]
        assert waves[1] - waves[0] == pytest.approx(670.0, abs=20.0)
        assert world.clock.monotonic() - 1_000_000.0 == pytest.approx(670.0 * 2, abs=60.0)

    plan = rollout_plan({"waves": [{"name": "w", "sizes": [1, "rest"], "soak": "10m"}]}, fleet(2))
    in_world(plan, story, **FAST)


def test_a_soak_goes_on_while_the_machine_sleeps(in_world: InWorld) -> None:
    async def story(world: World) -> None:
        _, verdict = await asyncio.gather(disturbed(world, 100.0, sleep_s=500.0), world.run())
        assert verdict.exit_code is ExitCode.OK
        waves = [event.at for event in world.events() if isinstance(event, e.WaveStarted)]
        assert waves[1] - waves[0] == pytest.approx(660.0, abs=70.0)

    in_world(rollout_plan({"waves": [{"name": "w", "sizes": [1, "rest"], "soak": "10m"}]}, fleet(2)), story, **FAST)


# After a boot only the wall clock tells how long the machine was away: one that was set forward then is believed.
@pytest.mark.parametrize(("set_s", "reboots"), [(12 * HOUR, 0), (-12 * HOUR, 0), (-12 * HOUR, 1)])
def test_jobs_are_watched_to_their_end_whatever_the_wall_clock_says(
    plan_of: PlanMaker, in_world: InWorld, set_s: float, reboots: int
) -> None:
    """None times out, and none is forgotten until the clock shows the time again that it was accepted at."""

    async def story(world: World) -> None:
        await asyncio.gather(disturbed(world, 5.5, set_s=set_s), until_it_dies(world.run(crash_after=30)))
        world.clock.boots += reboots
        assert (await world.run()).exit_code is ExitCode.OK
        assert world.clock.monotonic() - 1_000_000.0 < 600.0

    plan = plan_of(
        (30,), (1,), Submit(rate=5.0, burst=1, concurrency=4, settle_s=15.0), Watch(rate=10.0, job_timeout_s=4 * HOUR)
    )
    in_world(plan, story, **FAST)


@pytest.mark.parametrize("set_s", [HOUR, -HOUR])
def test_a_refused_request_waits_as_long_as_it_should(plan_of: PlanMaker, in_world: InWorld, set_s: float) -> None:
    async def story(world: World) -> None:
        world.network.script += ["", "busy_server"]
        _, verdict = await asyncio.gather(disturbed(world, 2.0, set_s=set_s), world.run())
        assert verdict.exit_code is ExitCode.OK
        first, second = (at for at in world.network.sent_at[1:3])
        assert 2.0 < second - first < 10.0

    in_world(plan_of((4,), (2,)), story, servers={"busy": "queue"}, **FAST)


def test_a_request_that_waits_for_its_slot_while_the_machine_sleeps_is_not_sent_by_that_intent(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    async def story(world: World) -> None:
        await asyncio.gather(disturbed(world, 2.25, sleep_s=60.0), world.run())
        assert world.report()["counts"]["succeeded"] == 20

    in_world(plan_of((20,), (1,), Submit(rate=2.0, burst=1, concurrency=4, settle_s=15.0)), story, **FAST)


class Machine:
    """Clocks that only show what they are told."""

    def __init__(self, boot: str, wall: float, monotonic: float) -> None:
        self.boot = boot
        self.shown = (wall, monotonic)

    def wall(self) -> float:
        return self.shown[0]

    def monotonic(self) -> float:
        return self.shown[1]

    async def sleep(self, seconds: float) -> None:
        del seconds


def test_a_run_counts_on_from_where_a_process_on_the_same_boot_was() -> None:
    clock = RunClock(Machine("b1", 50_000.0, 500.0), Reading(9_000.0, "b1", 400.0), last_at=9_050.0)
    assert clock.now() == 9_100.0
    assert clock.wall() == 50_000.0
    assert clock.reading() == Reading(9_100.0, "b1", 500.0)


@pytest.mark.parametrize(
    "before", [None, Reading(9_000.0, "b2", 400.0), Reading(9_000.0, "", 400.0), Reading(9_000.0, "b1", 501.0)]
)
def test_elsewhere_it_counts_on_by_the_wall_clock_but_never_back(before: Reading | None) -> None:
    assert RunClock(Machine("b1", 50_000.0, 500.0), before, last_at=9_050.0).now() == 50_000.0
    assert RunClock(Machine("b1", 50_000.0, 500.0), before, last_at=60_000.0).now() == 60_000.0
    assert RunClock(Machine("", 50_000.0, 500.0), before).now() == 50_000.0


def test_the_clocks_of_this_machine() -> None:
    clock = SystemClock()
    assert clock.wall() == pytest.approx(time.time(), abs=5.0)
    assert clock.monotonic() == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=5.0)
    assert clock.boot == SystemClock().boot != ""


@pytest.mark.process
@pytest.mark.skipif(not works(*IN_A_TIME_NAMESPACE), reason="no time namespaces here")
def test_the_clocks_go_on_while_the_machine_sleeps() -> None:
    """Told from the one that does not by a namespace in which the two show different times."""
    shown = "SystemClock().monotonic() - time.monotonic(), moment().at - time.monotonic()"
    script = "; ".join(
        (
            "import time",
            "from runner.engine.clock import SystemClock",
            "from runner.journal.owner import moment",
            f"print({shown})",
        )
    )
    said = subprocess.check_output([*IN_A_TIME_NAMESPACE, sys.executable, "-c", script], cwd=ROOT, text=True)
    ahead = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic() + 90_000.0
    assert [float(text) for text in said.split()] == pytest.approx([ahead, ahead], abs=5.0)


@pytest.mark.parametrize("rate", [2.0, 20.0, math.inf])
def test_creates_that_waited_for_a_login_leave_one_by_one_or_not_at_all(
    plan_of: PlanMaker, in_world: InWorld, rate: float
) -> None:
    """The pace and the age of intents are held against every create as it leaves (`Promises.sent`)."""

    async def story(world: World) -> None:
        world.network.login_chance = 0.3
        assert (await world.run()).exit_code is ExitCode.OK
        assert any(isinstance(event, e.Lapsed) for event in world.events())
        assert world.report()["counts"]["succeeded"] == 60

    plan = plan_of((60,), (1,), Submit(rate=rate, burst=1, concurrency=8, settle_s=15.0))
    in_world(plan, story, servers={"busy": "queue"}, **FAST)
