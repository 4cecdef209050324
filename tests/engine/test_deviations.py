"""A service that does otherwise than assumed: where the list proves nothing, nothing is sent a second time."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import Any

import pytest

from runner.errors import ExitCode
from runner.report.times import rfc3339
from runner.run import events as e
from runner.spec.campaign import Submit, Watch
from tests.conftest import PlanMaker
from tests.engine.conftest import InWorld, World

ONE_BY_ONE = Submit(rate=10.0, burst=10, concurrency=1, settle_s=15.0)
HALF_AN_HOUR = Watch(rate=10.0, job_timeout_s=1800.0)
SLOW: dict[str, Any] = {"tasks": {"duration_s": 120.0}, "servers": {"busy": "queue"}}
PAGES_OF_TEN = {"most": 10, "foreign_jobs": 35}

# What the service does; then how it lists.
LISTS_THAT_LIE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "rows are told of and not shown": ({"rows": "none"}, {}),
    "one row less than told": ({"rows": "fewer"}, {}),
    "no total": ({"total": "missing", "rows": "none"}, {}),
    "more told of than shown": ({"total": "more", "name_filter": "matches_nothing"}, {}),
    "an error code": ({"error_in_200": "error_code"}, {}),
    "an error code in camel case": ({"error_in_200": "errorCode"}, {}),
    "a code": ({"error_in_200": "code"}, {}),
    "a code of another name": ({"error_in_200": "ret_code"}, {}),
    "an error within an object": ({"error_in_200": "nested"}, {}),
    "an error within objects and lists": ({"error_in_200": "deep"}, {}),
    "an error in words": ({"error_in_200": "words"}, {}),
    "an error in a text": ({"error_in_200": "text"}, {}),
    "an error within a list": ({"error_in_200": "listed"}, {}),
    "rows whose name is null": ({"row_names": "null"}, {}),
    "rows without a name": ({"row_names": "missing"}, {}),
    "names in capitals": ({"names": "upper"}, {}),
    "names in capitals, exact filter": ({"names": "upper"}, {"name_filter": "exact"}),
    "names with blanks, exact filter": ({"names": "padded"}, {"name_filter": "exact"}),
    "names that lose the key": ({"names": "cut", "name_length": 9}, {}),
    "names that lose a part of the key": ({"names": "cut", "name_length": 18}, {"name_filter": "exact"}),
    "a filter that matches nothing": ({"name_filter": "matches_nothing"}, {}),
    "a filter that matches nothing, no paging": (
        {"name_filter": "matches_nothing"},
        {"paging": "ignored", "foreign_jobs": 35},
    ),
    "a total of one page, no filter": ({"total": "of_page"}, PAGES_OF_TEN | {"order": "random"}),
    "a total of one page, no paging": ({"total": "of_page"}, {"paging": "ignored", "foreign_jobs": 35}),
    "pages that repeat rows": ({"pages": "repeat"}, PAGES_OF_TEN),
    "pages that skip rows": ({"pages": "skip"}, PAGES_OF_TEN),
    "a list that is an hour old": ({}, {"lag_s": 3600.0}),
    "jobs at work are not listed": ({"hidden": "unfinished"}, {}),
    "jobs are nowhere to be found for a minute": ({"detail_missing_s": 60.0}, {"lag_s": 60.0}),
}


def jobs_of_servers(world: World) -> Counter[str]:
    return Counter(server for job in world.service.jobs.values() for server in job.request["server_ids"])


def check_every_server_has_one_job(world: World) -> None:
    """None is sent twice, and of each it is told which job it has, or that this is not known, and why.

    Where the list cannot be read at all, the lane stops, and the run can be resumed.
    """
    per_server = jobs_of_servers(world)
    assert max(count for server, count in per_server.items() if server.startswith("g")) == 1
    report = world.report()
    for job in report["jobs"]:
        assert job["state"] in {"settled", "given_up", "conflict", "in_doubt", "planned"}
        assert job["state"] in {"settled", "planned"} or job["error"]
        assert job["state"] != "conflict" or "a job was made after all" in job["error"]["message"]
    states = Counter(job["state"] for job in report["jobs"])
    made = sum(bool(job.request["items"]) for job in world.service.jobs.values())
    assert states["settled"] + states["conflict"] <= made == len(report["jobs"]) - states["planned"]


@pytest.mark.parametrize("doubts", [1, 6])
@pytest.mark.parametrize("accepted", [0, 2])
@pytest.mark.parametrize("what", LISTS_THAT_LIE)
def test_a_list_that_does_not_prove_it_has_nothing_sent_again(
    plan_of: PlanMaker, in_world: InWorld, what: str, accepted: int, doubts: int
) -> None:
    deviations, listing = LISTS_THAT_LIE[what]
    if not accepted and what in UNKNOWABLE:
        pytest.skip("nothing is known that the list contradicts")

    async def story(world: World) -> None:
        world.network.obeys_filter = "no filter" not in what
        world.network.script += [*[""] * accepted, *["lost_after"] * doubts]
        await world.run()
        check_every_server_has_one_job(world)

    plan = plan_of((accepted + doubts,), (1,), ONE_BY_ONE, HALF_AN_HOUR)
    in_world(plan, story, listing={"lag_s": 0.5, **listing}, deviations=deviations, **SLOW)


# A whole list, consistent with itself, and nothing of ours is known to exist.
UNKNOWABLE = {
    "a list that is an hour old",
    "jobs at work are not listed",
    "jobs are nowhere to be found for a minute",
    "a filter that matches nothing, no paging",
    "a total of one page, no paging",
}


@pytest.mark.parametrize("doubts", [1, 6])
def test_jobs_that_are_over_and_not_listed_any_more_are_not_made_again(
    plan_of: PlanMaker, in_world: InWorld, doubts: int
) -> None:
    async def story(world: World) -> None:
        world.network.script += ["", *["lost_after"] * doubts]
        await world.run()
        check_every_server_has_one_job(world)

    quick = {"tasks": {"duration_s": 1.0}, "servers": {"busy": "queue"}}
    plan = plan_of((1 + doubts,), (1,), ONE_BY_ONE, HALF_AN_HOUR)
    in_world(plan, story, listing={"lag_s": 0.5}, deviations={"hidden": "finished"}, **quick)


@pytest.mark.parametrize("what", UNKNOWABLE)
def test_where_a_list_is_found_to_have_lied_that_is_told(plan_of: PlanMaker, in_world: InWorld, what: str) -> None:
    """The first create was sent again because an empty list showed no job of it; later there are jobs, and it shows none."""
    deviations, listing = LISTS_THAT_LIE[what]

    async def story(world: World) -> None:
        world.network.obeys_filter = "no filter" not in what
        world.network.script += ["lost_after"]
        world.promises.may_double = True
        verdict = await world.run()
        doubled = {server for server, count in jobs_of_servers(world).items() if count > 1 and server.startswith("g")}
        jobs = world.report()["jobs"]
        told = {task["server_id"] for job in jobs if job["state"] == "conflict" for task in job["tasks"]}
        assert doubled <= told
        assert not told or verdict.exit_code is ExitCode.ABNORMAL

    in_world(
        plan_of((3,), (1,), ONE_BY_ONE, HALF_AN_HOUR),
        story,
        listing={"lag_s": 0.5, **listing},
        deviations=deviations,
        **SLOW,
    )


def test_a_job_that_works_on_more_servers_than_asked_for_is_told_of(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        assert (await world.run()).exit_code is ExitCode.ABNORMAL
        (job,) = world.report()["jobs"]
        assert (job["state"], job["tasks"][0]["outcome"]) == ("conflict", "succeeded")
        assert "works on servers that the request did not name" in job["error"]["message"]

    in_world(plan_of((2,), (2,), ONE_BY_ONE, HALF_AN_HOUR), story, deviations={"tasks": "one_more"}, **SLOW)


@pytest.mark.parametrize("answer", ["job_before", "another_name", "no_name", "other_servers"])
def test_an_answer_about_another_job_is_no_acceptance(plan_of: PlanMaker, in_world: InWorld, answer: str) -> None:
    """The request's own job is looked up, and found."""

    async def story(world: World) -> None:
        await world.run()
        made = {job.request["name"]: job_id for job_id, job in world.service.jobs.items()}
        assert {job["name"]: job["job_id"] for job in world.report()["jobs"]} == made
        assert world.report()["counts"]["succeeded"] == len(made) == 4
        check_every_server_has_one_job(world)

    plan = plan_of((4,), (1,), ONE_BY_ONE, HALF_AN_HOUR)
    in_world(plan, story, listing={"lag_s": 0.5}, deviations={"create_answer": answer}, **SLOW)


@pytest.mark.parametrize("hidden", ["none", "unfinished"])
def test_a_job_that_cannot_be_found_for_a_while_is_not_lost(plan_of: PlanMaker, in_world: InWorld, hidden: str) -> None:
    """Whether or not the list shows it: nobody can have deleted what nobody has seen yet."""

    async def story(world: World) -> None:
        await world.run()
        check_every_server_has_one_job(world)
        (job,) = world.report()["jobs"]
        assert (job["tasks"][0]["outcome"], job["lost"]) == ("succeeded", None)

    plan = plan_of((1,), (1,), ONE_BY_ONE, HALF_AN_HOUR)
    deviations = {"detail_missing_s": 60.0, "hidden": hidden}
    in_world(plan, story, listing={"lag_s": 0.5}, deviations=deviations, **SLOW)


def test_a_list_is_held_against_what_other_lists_have_shown(plan_of: PlanMaker, in_world: InWorld) -> None:
    """The first create came late once more, and a list has shown its second job. Then the newest job of each name is hidden:
    so the list of the first name does not show it any more, and that of the third shows none.
    """

    async def story(world: World) -> None:
        true = world.service.deviations
        world.promises.may_double = True
        world.network.script += ["twice_but_late", "lost_before", "", "lost_after"]

        def hide(event: e.Event) -> None:
            if isinstance(event, e.InDoubt) and event.request == 2:
                world.service.deviations = true.model_copy(update={"hidden": "newest"})
                asyncio.get_running_loop().call_later(200.0, setattr, world.service, "deviations", true)

        world.on_event = hide
        await world.run()
        assert jobs_of_servers(world) == {"g0-s0": 2, "g0-s1": 1, "g0-s2": 1}
        assert [job["state"] for job in world.report()["jobs"]] == ["conflict", "settled", "settled"]

    slowly = Submit(rate=1 / 30, burst=1, concurrency=4, settle_s=15.0)
    in_world(plan_of((3,), (1,), slowly, HALF_AN_HOUR), story, listing={"lag_s": 0.5}, **SLOW)


def test_a_row_without_a_name_that_was_shown_for_a_name_is_not_forgotten(plan_of: PlanMaker, in_world: InWorld) -> None:
    """Asked for the name of what is in doubt, the list shows a row without any, and later none at all."""

    async def story(world: World) -> None:
        true = world.service.deviations
        world.network.script += ["", "lost_after"]

        def lie(event: e.Event) -> None:
            if isinstance(event, e.InDoubt):
                loop = asyncio.get_running_loop()
                world.service.deviations = true.model_copy(update={"row_names": "null"})
                newest_hidden = true.model_copy(update={"hidden": "newest"})
                loop.call_later(5.0, setattr, world.service, "deviations", newest_hidden)
                loop.call_later(300.0, setattr, world.service, "deviations", true)

        world.on_event = lie
        assert (await world.run()).exit_code is ExitCode.OK
        check_every_server_has_one_job(world)
        assert world.report()["requests"]["adopted"] == 1

    slowly = Submit(rate=1 / 30, burst=1, concurrency=4, settle_s=15.0)
    in_world(plan_of((2,), (1,), slowly, HALF_AN_HOUR), story, listing={"lag_s": 0.5}, **SLOW)


def test_a_list_that_lies_now_and_then_is_not_waited_for_as_if_it_were_late(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    """What it showed before is not listed late: else whoever is in doubt would wait for as long as the run lasted so far."""
    asked_at: list[float] = []
    took: list[float] = []

    async def story(world: World) -> None:
        true = world.service.deviations
        hiding = true.model_copy(update={"hidden": "unfinished"})
        world.network.script += ["", "lost_before", "", "lost_before"]

        def lie(event: e.Event) -> None:
            if isinstance(event, e.InDoubt):
                asked_at.append(event.at)
            if isinstance(event, e.InDoubt) and len(asked_at) == 2:
                world.service.deviations = hiding
                asyncio.get_running_loop().call_later(60.0, setattr, world.service, "deviations", true)
            if isinstance(event, e.NotFound):
                took.append(event.at - asked_at[-1])

        world.on_event = lie
        assert (await world.run()).exit_code is ExitCode.OK
        assert len(took) == 2
        assert took[0] < 60.0 < took[1] < 180.0
        check_every_server_has_one_job(world)

    slowly = Submit(rate=1 / 900, burst=1, concurrency=4, settle_s=15.0)
    long = {"tasks": {"duration_s": 5000.0}, "servers": {"busy": "queue"}, "listing": {"lag_s": 0.5}}
    in_world(plan_of((4,), (1,), slowly, Watch(rate=10.0, job_timeout_s=10_000.0)), story, **long)


def test_a_job_that_was_seen_and_is_nowhere_any_more_is_lost_after_the_settle_time(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    async def story(world: World) -> None:
        deleted_at: list[float] = []

        def delete(event: e.Event) -> None:
            if isinstance(event, e.Accepted):
                asyncio.get_running_loop().call_later(100.0, gone)

        def gone() -> None:
            world.network.delete_one()
            deleted_at.append(world.clock.wall())

        world.on_event = delete
        await world.run()
        (job,) = world.report()["jobs"]
        (settled,) = (event for event in world.events() if isinstance(event, e.Settled))
        assert settled.at - deleted_at[0] >= ONE_BY_ONE.settle_s
        assert (job["tasks"][0]["outcome"], job["lost"]["at"]) == ("unknown", rfc3339(settled.at))
        said = rf"the service does not know job {job['job_id']} \((\d+) reads in (\d+) s\), nor lists it"
        found = re.fullmatch(said, job["lost"]["reason"])
        assert found is not None
        assert int(found[1]) >= 3
        assert int(found[2]) >= ONE_BY_ONE.settle_s

    plan = plan_of((1,), (1,), ONE_BY_ONE, HALF_AN_HOUR)
    in_world(plan, story, listing={"lag_s": 0.5}, delete={"listed": False}, **SLOW)


def test_a_job_that_a_list_which_proves_nothing_does_not_show_is_looked_for_for_ten_minutes(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    async def story(world: World) -> None:
        await world.run()
        (job,) = world.report()["jobs"]
        assert world.report()["run"]["duration_s"] >= 600.0
        assert "which proves nothing: the list does not tell how many jobs there are" in job["lost"]["reason"]

    lies = {"detail_missing_s": 7200.0, "total": "missing", "rows": "none"}
    in_world(plan_of((1,), (1,), ONE_BY_ONE, HALF_AN_HOUR), story, deviations=lies, **SLOW)


def test_the_job_of_the_name_is_told_of_where_the_one_of_the_answer_never_was(
    plan_of: PlanMaker, in_world: InWorld
) -> None:
    async def story(world: World) -> None:
        await world.run()
        (job,) = world.report()["jobs"]
        (made,) = world.service.jobs
        assert (job["state"], job["tasks"][0]["outcome"]) == ("conflict", "unknown")
        assert made in job["error"]["message"]

    plan = plan_of((1,), (1,), ONE_BY_ONE, HALF_AN_HOUR)
    in_world(plan, story, listing={"lag_s": 0.5}, deviations={"create_answer": "unknown_id"}, **SLOW)


def test_why_a_job_was_not_seen_to_end_is_told(plan_of: PlanMaker, in_world: InWorld) -> None:
    async def story(world: World) -> None:
        await world.run()
        (job,) = world.report()["jobs"]
        assert (job["tasks"][0]["outcome"], job["lost"]["reason"]) == (
            "timed_out",
            "PROCESSING after 1800 s, and not over",
        )

    tasks: dict[str, Any] = {"tasks": {"never_final": 1.0}}
    in_world(plan_of((1,), (1,), ONE_BY_ONE, HALF_AN_HOUR), story, **tasks)


def test_a_second_job_that_is_listed_late_is_looked_for_before_the_end(plan_of: PlanMaker, in_world: InWorld) -> None:
    """Its create was sent on twice, and the first job is over before the second is made."""

    async def story(world: World) -> None:
        world.promises.may_double = True
        world.network.script += ["twice_but_late"]
        await world.run()
        (job,) = world.report()["jobs"]
        assert job["state"] == "conflict"
        assert all(made.job_id in job["error"]["message"] for made in world.service.jobs.values())

    in_world(plan_of((1,), (1,), ONE_BY_ONE, HALF_AN_HOUR), story, listing={"lag_s": 0.5}, tasks={"duration_s": 1.0})
