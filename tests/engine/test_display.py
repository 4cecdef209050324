"""A display that fails, wherever it does: the run goes on, and tells of it."""

from __future__ import annotations

import asyncio

import pytest

from runner.app.host import share_of
from runner.errors import ExitCode
from runner.run import events as e
from runner.run.facts import Facts
from tests.conftest import PlanMaker
from tests.engine.conftest import InWorld, World
from tests.engine.world import Blind

FAST = {"tasks": {"duration_s": 60.0}}


class Failing(Blind):
    """A display that fails in one place; `asked` counts how often it was asked to show anything after that."""

    def __init__(self, place: str, error: Exception) -> None:
        self._place = place
        self._error: Exception | None = error
        self.asked = 0

    def begin(self, *_: object) -> None:
        self._fail("begin")

    def observe(self, event: e.Event) -> None:
        self._fail(event.kind)

    def notice(self, _: str) -> None:
        self._fail("notice")

    async def show(self, state: Facts) -> None:
        await asyncio.sleep(5.0)
        self._fail("show")
        await super().show(state)

    def _fail(self, place: str) -> None:
        self.asked += self._error is None
        if place == self._place and self._error is not None:
            error, self._error = self._error, None
            raise error


@pytest.mark.parametrize("place", ["begin", "run_started", "intended", "accepted", "show", "settled", "notice"])
@pytest.mark.parametrize("error", [BrokenPipeError(32, "Broken pipe"), UnicodeEncodeError("ascii", "ö", 0, 1, "none")])
def test_a_display_that_fails_ends_and_the_run_does_not(
    plan_of: PlanMaker, in_world: InWorld, place: str, error: Exception
) -> None:
    async def story(world: World) -> None:
        progress = world.progress = Failing(place, error)
        running = asyncio.create_task(world.run())
        await asyncio.sleep(59.0)
        world.store.lock(19.0)  # which is told of when jobs end
        assert (await running).exit_code is ExitCode.OK
        report = world.report()
        assert report["run"]["display_lost"] == f"{type(error).__name__}: {error}"
        assert report["counts"]["succeeded"] == 9
        assert [event.kind for event in world.events()].count("display_lost") == 1
        assert not progress.asked

    in_world(plan_of((9,), (2,)), story, **FAST)


def test_the_journal_has_an_event_before_the_display(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        seen: list[bool] = []

        class Looking(Blind):
            def observe(self, event: e.Event) -> None:
                seen.append(world.events()[-1] == event)

        world.progress = Looking()
        await world.run()
        assert seen == [True] * len(world.events())

    in_world(plan_of((4,), (2,)), story, **FAST)


def test_a_display_that_fails_once_the_run_has_ended_changes_nothing(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        world.progress = Failing("run_ended", OSError("gone"))
        assert (await world.run()).exit_code is ExitCode.OK
        assert world.events()[-1].kind == "run_ended"
        assert world.report()["run"]["display_lost"] is None

    in_world(plan_of((4,), (2,)), story, **FAST)


def test_the_next_process_has_a_display_of_its_own(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        world.progress = Failing("intended", OSError("gone"))
        await world.run(stop_after=8)
        assert world.report()["run"]["display_lost"] == "OSError: gone"
        world.progress = Blind()
        assert (await world.run()).exit_code is ExitCode.OK
        assert world.report()["run"]["display_lost"] is None

    in_world(plan_of((20,), (1,)), story, **FAST)


@pytest.mark.parametrize("descriptors", [1, 40, 64, 256, 1024, 65_536])
@pytest.mark.parametrize("lanes", [1, 2, 30])
@pytest.mark.parametrize("simulated", [False, True])
def test_connections_and_other_files_stay_below_the_limit(descriptors: int, lanes: int, simulated: bool) -> None:
    share = share_of(descriptors, lanes, simulated=simulated)
    assert min(share) >= 1
    ends = 2 if simulated else 1
    assert sum(share) * ends * lanes <= max(2 * ends * lanes, descriptors - 32)


def test_no_more_creates_are_on_their_way_than_there_may_be_connections(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        world.descriptors = 35
        assert (await world.run()).exit_code is ExitCode.OK
        assert (world.network.most_in_flight, world.most_reads) == (2, 1)

    in_world(plan_of((40,), (1,)), story, **FAST)
