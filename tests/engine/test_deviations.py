"""A service that does otherwise than assumed: where the list proves nothing, nothing is sent a second time."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from runner.errors import ExitCode
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
