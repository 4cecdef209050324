"""Whom a jobspec tells of a run, in virtual time: whatever becomes of that, the run does what it does without."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.app.hooks import FAREWELL_S, MOST_WAITING
from runner.errors import ExitCode, StateFolderError
from runner.model import Json
from runner.plan.hooks import PlannedHook
from runner.plan.plan import Plan
from runner.run import events as e
from runner.run.gate import Patience
from runner.spec.signals import SignalFile
from tests.engine.conftest import InWorld, World, play, until_it_dies
from tests.engine.rollout_plans import fleet, rollout_plan, step

ALL = ("start", "resume", "hold", "approval", "abort", "end")
FAST = {"tasks": {"duration_s": 20.0}, "listing": {"lag_s": 0.5}}
ALL_WAVES = {"waves": [{"name": "one", "sizes": [4, "rest"], "approve": True}]}
NEVER = 1e9


def hook(*on: str, **more: Any) -> PlannedHook:
    return PlannedHook(on or ALL, command=("tell",), **more)


def telling(plan: Plan, *hooks: PlannedHook) -> Plan:
    return replace(plan, hooks=hooks)


def approvals() -> Plan:
    return rollout_plan(ALL_WAVES, fleet(8))


def told(world: World, index: int = 0) -> list[str]:
    """What one hook was told, try by try."""
    return [signal["event"] for to, signal in world.told if to == world.plan.hooks[index]]


def lost(world: World) -> list[tuple[int, str, str]]:
    return [(one["hook"], one["event"], one["reason"]) for one in world.report()["run"]["signals_lost"]]


def answers(*each: tuple[float, str | None]) -> Any:
    """How long telling takes and what comes of it, one try after the other; the last for all that follow."""
    left = list(each)
    return lambda to, signal: left.pop(0) if len(left) > 1 else left[0]


async def approved(world: World) -> asyncio.Task[Any]:
    """A run that waits for a person, and goes on an hour later."""
    running = asyncio.create_task(world.run())
    await asyncio.sleep(3600.0)
    world.command("approve", "one-1")
    await asyncio.sleep(3600.0)
    world.command("approve", "one-2")
    return running


def test_a_run_tells_of_its_moments_in_order_with_what_to_type(in_world: InWorld) -> None:
    async def story(world: World) -> None:
        assert (await (await approved(world))).exit_code is ExitCode.OK
        assert told(world) == ["start", "approval", "approval", "end"]
        assert told(world, 1) == ["end"]
        signals = [signal for to, signal in world.told if to == world.plan.hooks[0]]
        for signal in signals:
            SignalFile.model_validate(signal)
        run = world.run_id
        assert [signal["next"] for signal in signals] == [
            "",
            f"runner approve {run} one-1, or runner reject {run} one-1",
            f"runner approve {run} one-2, or runner reject {run} one-2",
            "",
        ]
        assert [signal["needs_person"] for signal in signals] == [False, True, True, False]
        assert [signal["wave"] for signal in signals[1:3]] == ["one-1", "one-2"]
        assert [signal["counts"]["succeeded"] for signal in signals] == [0, 4, 8, 8]
        assert (signals[-1]["state"], signals[-1]["exit_code"]) == ("finished", 0)
        assert len({signal["id"] for signal in signals}) == 4
        assert lost(world) == []

    in_world(telling(approvals(), hook(), hook("end")), story, tasks=FAST["tasks"])


def test_a_hold_and_an_abort_are_told(in_world: InWorld) -> None:
    plan = rollout_plan({"waves": [{"name": "one"}], "budget": {"max_abnormal": 1}}, fleet(8))

    async def story(world: World) -> None:
        running = asyncio.create_task(world.run())
        await asyncio.sleep(3600.0)
        assert told(world) == ["start", "hold"]
        held = world.told[-1][1]
        assert held["reason"]
        assert held["reason"] in held["text"]
        assert held["next"].startswith(f"runner set {world.run_id} max_abnormal=N and runner continue {world.run_id}")
        world.command("abort")
        assert (await running).exit_code is ExitCode.ABORTED
        assert told(world) == ["start", "hold", "abort", "end"]

    failing = {"duration_s": 20.0, "failing_servers": ["s000", "s001", "s002"]}
    in_world(telling(plan, hook()), story, tasks=failing)


def test_what_fails_is_tried_again_with_pauses_and_then_given_up(in_world: InWorld) -> None:
    async def story(world: World) -> None:
        world.tells = answers((0, "HTTP 500"), (0, "HTTP 502"), (0, None), (0, "refused"))
        assert (await (await approved(world))).exit_code is ExitCode.OK
        assert told(world) == ["start"] * 3 + ["approval"] * 6 + ["end"] * 3
        assert lost(world) == [(0, "approval", "refused")] * 2 + [(0, "end", "refused")]

    in_world(telling(approvals(), hook()), story, tasks=FAST["tasks"])


def test_that_somebody_cannot_be_told_is_said_once(in_world: InWorld) -> None:
    said: list[str] = []

    async def story(world: World) -> None:
        world.progress.notice = said.append  # type: ignore[method-assign,assignment]
        world.tells = answers((0, "HTTP 500"))
        await (await approved(world))
        assert len(lost(world)) == 8
        assert sorted(said) == [
            "on_event[0] could not be told of start: HTTP 500",
            "on_event[1] could not be told of start: HTTP 500",
        ]

    in_world(telling(approvals(), hook(), hook(attempts=1)), story, tasks=FAST["tasks"])


@pytest.mark.parametrize("takes_s", [0.0, 3.0, 60.0, NEVER])
def test_one_that_hangs_keeps_neither_the_run_nor_the_others_waiting(in_world: InWorld, takes_s: float) -> None:
    first, second = hook(), hook()
    second = replace(second, env=("SECOND",))

    async def story(world: World) -> None:
        world.tells = lambda to, signal: (takes_s if to == first else 0.0, None)
        running = await approved(world)
        assert told(world, 1) == ["start", "approval", "approval"]
        before = world.clock.monotonic()
        assert (await running).exit_code is ExitCode.OK
        ended_at = next(event.at for event in world.events() if isinstance(event, e.RunEnded))
        assert world.clock.wall() - ended_at <= FAREWELL_S
        assert world.clock.monotonic() - before < 60.0
        assert told(world, 1) == ["start", "approval", "approval", "end"]
        if takes_s == NEVER:
            assert [event for _, event, _ in lost(world)] == ["start", "approval", "approval", "end"]
            assert lost(world)[0][2] == "not over within 10 s"

    in_world(telling(approvals(), first, second), story, tasks=FAST["tasks"])


def test_no_more_wait_to_be_told_than_fit_and_the_newest_stay(in_world: InWorld) -> None:
    """A person, or a program in their name, goes on after each of hundreds of holds."""
    plan = rollout_plan({"waves": [{"name": "w", "sizes": [1] * 80, "approve": True}]}, fleet(80))

    async def story(world: World) -> None:
        world.tells = answers((NEVER, None))
        running = asyncio.create_task(world.run())
        for number in range(1, 81):
            await asyncio.sleep(600.0)
            world.command("approve", f"w-{number}")
        await running
        found = lost(world)
        assert len(found) == 1 + 80 + 1
        crowded = [event for _, event, reason in found if reason == "too many waited to be told"]
        assert crowded == ["approval"] * (80 - MOST_WAITING + 1)
        assert found[-1][1] == "end"

    one_by_one = telling(plan, hook(timeout_s=NEVER))
    in_world(one_by_one, story, tasks={"duration_s": 0.1})


@pytest.mark.parametrize("error", [RuntimeError("of s3cr3t"), OSError(28, "s3cr3t"), RecursionError()])
def test_a_mistake_in_a_sender_is_none_of_the_run(in_world: InWorld, error: Exception) -> None:
    def fails(to: PlannedHook, signal: Mapping[str, Json]) -> Any:
        raise error

    async def story(world: World) -> None:
        world.tells = fails
        assert (await (await approved(world))).exit_code is ExitCode.OK
        assert {reason for _, _, reason in lost(world)} == {f"it failed with {type(error).__name__}"}

    in_world(telling(approvals(), hook()), story, tasks=FAST["tasks"])


def test_who_goes_on_with_a_run_is_told_so_and_not_of_its_start_again(in_world: InWorld) -> None:
    """What waits for a person has been told; each resume would tell it again, by a timer every minute."""

    async def story(world: World) -> None:
        world.patience = Patience(for_person=False)
        for process in range(3):
            assert (await world.run()).exit_code is ExitCode.STOPPED
            assert told(world) == ["start", "approval", "end"] + ["resume", "end"] * process
        resumed = world.told[-2][1]
        assert resumed["needs_person"]
        assert resumed["next"] == f"runner approve {world.run_id} one-1, or runner reject {world.run_id} one-1"
        assert world.told[-1][1]["next"] == f"{resumed['next']}; then runner resume {world.run_id}"

    in_world(telling(approvals(), hook()), story, tasks=FAST["tasks"])


def test_a_run_that_dies_tells_nobody_and_who_goes_on_tells_that(in_world: InWorld) -> None:
    async def story(world: World) -> None:
        await until_it_dies(world.run(crash_after=6))
        assert told(world) == ["start"]
        await (await approved(world))
        assert told(world) == ["start", "resume", "approval", "approval", "end"]

    in_world(telling(approvals(), hook()), story, tasks=FAST["tasks"])


def test_a_stop_waits_for_nobody_who_is_told(in_world: InWorld) -> None:
    async def story(world: World) -> None:
        world.tells = answers((NEVER, None))
        running = asyncio.create_task(world.run())
        await asyncio.sleep(100.0)
        assert world.engine is not None
        began = world.clock.monotonic()
        world.engine.stop("SIGINT received")
        assert (await running).exit_code is ExitCode.STOPPED
        assert world.clock.monotonic() - began <= FAREWELL_S + 2.0

    in_world(telling(approvals(), hook()), story, tasks=FAST["tasks"])


@pytest.mark.parametrize("how", ["first", "second"])
def test_whoever_does_not_want_to_wait_for_the_last_does_not_and_the_run_is_over(in_world: InWorld, how: str) -> None:
    """The first Ctrl-C ends the wait; where one has stopped the run before, it is the second, which ends the task."""

    async def story(world: World) -> None:
        world.tells = answers((NEVER, None))
        running = await approved(world)
        while not isinstance(world.events()[-1], e.RunEnded):  # noqa: ASYNC110  there is nothing else to see
            await asyncio.sleep(0.5)
        began = world.clock.monotonic()
        if how == "first":
            assert world.stoppable is not None
            world.stoppable.stop("SIGINT received")
        else:
            running.cancel()
        assert (await running).exit_code is ExitCode.OK
        assert world.clock.monotonic() - began < 1.0
        assert lost(world)[-1][1] == "end"

    in_world(telling(approvals(), hook(timeout_s=NEVER)), story, tasks=FAST["tasks"])


def test_what_could_not_be_told_does_not_hide_how_the_run_ended(in_world: InWorld) -> None:
    async def story(world: World) -> None:
        world.tells = answers((0, "HTTP 500"))
        await (await approved(world))
        assert len(lost(world)) == 4
        (row,) = [row for row in world.store.runs() if row.id == world.run_id]
        assert (row.state, row.counts and row.counts["succeeded"]) == ("finished", 8)
        # Also if the process dies before it can note it: the journal tells.
        assert world.events()[-1].kind == "run_ended"
        report = world.report()["run"]
        assert report["finished_at"] < report["signals_lost"][-1]["at"]

    in_world(telling(approvals(), hook()), story, tasks=FAST["tasks"])


def test_servers_are_free_before_the_last_is_told(in_world: InWorld) -> None:
    async def story(world: World) -> None:
        held: list[int] = []

        def tells(to: PlannedHook, signal: Mapping[str, Json]) -> tuple[float, str | None]:
            if signal["event"] == "end":
                asyncio.get_running_loop().call_later(2.0, lambda: held.append(len(world.store.leases())))
            return 4.0, None

        world.tells = tells
        await (await approved(world))
        assert held == [0]

    in_world(telling(approvals(), hook()), story, tasks=FAST["tasks"])


def test_that_a_run_ended_by_an_error_is_told(in_world: InWorld) -> None:
    async def story(world: World) -> None:
        running = asyncio.create_task(world.run())
        await asyncio.sleep(100.0)
        assert world.engine is not None
        world.engine.fail(StateFolderError("the disk is full", hint="make room"))
        with pytest.raises(StateFolderError, match="the disk is full"):
            await running
        ending = world.told[-1][1]
        assert (ending["event"], ending["state"], ending["exit_code"]) == ("end", "interrupted", ExitCode.REFUSED)
        assert "the disk is full" in ending["text"]
        assert ending["next"].endswith(f"runner resume {world.run_id}")

    in_world(telling(approvals(), hook()), story, tasks=FAST["tasks"])


def shown(events: Sequence[e.Event]) -> list[Any]:
    """All that a run did up to its end, and when: but for the hash of its plan, which has the hooks."""
    end = next(index for index, event in enumerate(events) if isinstance(event, e.RunEnded))
    return [(event.kind, {**asdict(event), "plan_hash": ""}) for event in events[: end + 1]]


def done(plan: Plan, seed: int, switches: Mapping[str, Any], tells: Any) -> list[Any]:
    found: list[Any] = []

    async def story(world: World) -> None:
        world.tells = tells
        world.passes = lambda check: True
        running = await approved(world)
        await running
        found.extend(shown(world.events()))

    play(plan, story, seed=seed, **switches)
    return found


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.integers(1, 5), st.sampled_from([0.0, 0.3, 3.0, 30.0, NEVER]), st.booleans())
def test_hooks_change_nothing_of_what_a_run_does(seed: int, count: int, longest_s: float, fails: bool) -> None:
    chance = random.Random(seed)

    def tells(to: PlannedHook, signal: Mapping[str, Json]) -> tuple[float, str | None]:
        return chance.uniform(0.0, longest_s), "no" if fails and chance.random() < 0.5 else None

    switches = {"tasks": {"duration_s": 20.0, "failing": 0.1}, "faults": {"creates": 0.1}}
    hooks = (hook(*chance.sample(ALL, chance.randint(1, 6)), attempts=chance.randint(1, 4)) for _ in range(count))
    # One request a wave: of two timers for the same moment the loop takes either first, and more of them change which.
    plan = rollout_plan(ALL_WAVES, fleet(8), steps=[step("upgrade", servers_per_job=4)])
    assert done(telling(plan, *hooks), seed, switches, tells) == done(plan, seed, switches, tells)
