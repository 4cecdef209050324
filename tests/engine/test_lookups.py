"""Many requests in doubt at once: few readings of the list answer for all of them, and only such as can."""

from __future__ import annotations

from typing import Any

import pytest

from runner.errors import ExitCode
from runner.rules.sweeps import SHORTEST_S
from runner.run import events as e
from runner.spec.campaign import Submit, Watch
from tests.conftest import PlanMaker
from tests.engine.conftest import InWorld, World, until_it_dies

MANY = 500
SETTLE_S = 20.0
# All are on their way before the first is looked up.
SUBMIT = Submit(rate=100_000.0, burst=MANY, concurrency=MANY, settle_s=SETTLE_S)
WATCH = Watch(rate=10.0)
LISTINGS = [
    pytest.param({}, 1, id="a filter that matches parts"),
    pytest.param({"name_filter": "exact"}, 2, id="an exact filter"),
    pytest.param({"most": 100}, 6, id="small pages"),
    pytest.param({"most": 100, "name_filter": "exact"}, 7, id="small pages, exact filter"),
    pytest.param({"paging": "ignored", "page_size": 1000}, 1, id="no paging, one large page"),
    pytest.param({"paging": "ignored", "page_size": 1000, "name_filter": "exact"}, 2, id="no paging, exact filter"),
    # No list shows more than ten jobs, so nothing but each name by itself can prove anything.
    pytest.param({"paging": "ignored"}, MANY + 4, id="no paging, small pages"),
    pytest.param({"paging": "ignored", "name_filter": "exact"}, MANY + 4, id="no paging, small pages, exact filter"),
]


def lists_at(world: World, kind: type[e.Event], counts: list[int]) -> None:
    """Note how often the list had been read at each event of a kind."""

    def note(event: e.Event) -> None:
        if isinstance(event, kind):
            counts.append(world.service.calls["list"])

    world.on_event = note


@pytest.mark.parametrize(("listing", "reads"), LISTINGS)
def test_five_hundred_jobs_are_found_with_about_as_many_reads_as_there_are_pages(
    plan_of: PlanMaker, in_world: InWorld, listing: dict[str, Any], reads: int
) -> None:
    async def story(world: World) -> None:
        world.network.script += ["", *["lost_after"] * MANY]
        counts: list[int] = []
        lists_at(world, e.Adopted, counts)
        assert (await world.run(watched=False)).exit_code is ExitCode.OK
        assert len(counts) == len(world.service.jobs) - 1 == MANY
        assert counts[-1] <= reads

    in_world(plan_of((MANY + 1,), (1,), SUBMIT, WATCH), story, listing={"lag_s": 0.5, **listing})


@pytest.mark.parametrize(("listing", "reads"), LISTINGS)
def test_five_hundred_creates_that_made_nothing_are_sent_again_after_two_such_rounds(
    plan_of: PlanMaker, in_world: InWorld, listing: dict[str, Any], reads: int
) -> None:
    async def story(world: World) -> None:
        world.network.script += ["", *["lost_before"] * MANY]
        counts: list[int] = []
        lists_at(world, e.NotFound, counts)
        assert (await world.run(watched=False)).exit_code is ExitCode.OK
        assert len(counts) == len(world.service.jobs) - 1 == MANY
        assert counts[-1] <= 2 * reads
        sent_again = world.network.sent_at[-MANY:]
        assert min(sent_again) - max(world.network.sent_at[:-MANY]) >= SETTLE_S

    in_world(plan_of((MANY + 1,), (1,), SUBMIT, WATCH), story, listing={"lag_s": 0.5, **listing})


def test_after_a_crash_all_that_was_on_its_way_is_looked_up_together(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        world.network.script += ["", *["hang"] * MANY]
        await until_it_dies(world.run(crash_after=MANY + 4))
        read_before = world.service.calls["list"]
        counts: list[int] = []
        lists_at(world, e.Adopted, counts)
        await world.run(watched=False)
        assert len(world.service.jobs) == MANY + 1
        assert 100 < len(counts) < MANY
        assert counts[0] - read_before <= 3
        assert counts[-1] - counts[0] <= 25.0 / SHORTEST_S  # looks for jobs that are over, while others are adopted

    in_world(plan_of((MANY + 1,), (1,), SUBMIT, WATCH), story, listing={"lag_s": 0.5})


def test_a_list_that_hides_jobs_of_ours_proves_nothing(plan_of: PlanMaker, in_world: InWorld) -> None:
    """It shows the ten newest jobs, whatever it is asked for; and those are of others."""

    async def story(world: World) -> None:
        def hide(event: e.Event) -> None:
            if isinstance(event, e.InDoubt):
                for number in range(10):
                    world.service.create(
                        {
                            "name": f"of-others-{number}",
                            "type": "COMMON",
                            "server_ids": ["other"],
                            "items": [{"type": "COMMON"}],
                        }
                    )

        world.on_event = hide
        world.network.obeys_filter = False
        world.network.script += ["", "lost_after"]
        await world.run()
        assert [job["state"] for job in world.report()["jobs"]] == ["settled", "given_up"]
        assert len(world.service.jobs) == 2 + 10

    in_world(plan_of((2,), (1,)), story, listing={"lag_s": 1.0, "paging": "ignored"}, servers={"busy": "queue"})
