"""Each switch of api-facts 8, shown on the service without HTTP, with a clock moved by hand."""

from __future__ import annotations

from typing import Any

import pytest

from runner.simulator.behaviour import Behaviour
from runner.simulator.service import SimulatedService

RUNNING_FLEET = {"s1": "RUNNING", "s2": "RUNNING", "off": "STOPPED"}


class World:
    """A service and its clock."""

    def __init__(self, **switches: Any) -> None:
        self.now = 1000.0
        switches.setdefault("throttle", {"creates": None, "reads": None})
        self.service = SimulatedService(Behaviour.model_validate(switches), lambda: self.now)

    def create(self, *servers: str, **changes: Any) -> Any:
        body = {
            "name": "n",
            "type": "HDK_UPGRADE",
            "server_ids": list(servers or ["s1"]),
            "items": [{"type": "X", "spec": {}}],
        }
        return self.service.create({**body, **changes})

    def job(self, reply: Any) -> dict[str, Any]:
        body: dict[str, Any] = self.service.get(reply.body["id"]).body
        return body


def test_a_create_answers_200_active_without_tasks_and_rewrites_the_type() -> None:
    reply = World().create()
    assert (reply.status, reply.body["status"], reply.body["tasks"]) == (200, "ACTIVE", [])
    assert reply.body["type"] == "ASCEND_SOFTWARE_UPGRADE"


def test_a_create_may_answer_with_processing_and_all_tasks() -> None:
    reply = World(jobs={"status_at_create": "PROCESSING", "tasks_at_create": "all"}).create("s1", "s2")
    assert reply.body["status"] == "PROCESSING"
    assert [task["status"] for task in reply.body["tasks"]] == ["PROCESSING", "PROCESSING"]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "with space"},
        {"type": ""},
        {"server_ids": []},
        {"server_ids": ["a", "a"]},
        {"items": []},
        {"name": "x" * 65},
    ]
    + [{"items": [{"type": "X", "spec": {"n": 1}}]}, {"is_reboot": "no"}, {"extra": 1}, {"description": "d" * 300}],
)
def test_what_is_not_valid_is_refused(changes: dict[str, Any]) -> None:
    world = World()
    assert world.create(**changes).status == 400
    assert not world.service.jobs


def test_descriptions_may_be_held_to_the_pattern_of_names() -> None:
    assert World().create(description="Task description.").status == 200
    assert World(jobs={"strict_description": True}).create(description="Task description.").status == 400


def test_the_same_name_makes_two_jobs() -> None:
    world = World(servers={"busy": "queue"})
    assert world.create().body["id"] != world.create().body["id"]


def test_a_job_is_finished_when_its_tasks_are_and_the_last_row_comes_later() -> None:
    world = World(tasks={"duration_s": 180, "final_lag_s": 0.35})
    reply = world.create("s1")
    world.now += 179
    assert world.job(reply)["status"] == "PROCESSING"
    world.now += 1
    assert world.job(reply)["status"] == "FINISHED"
    assert world.job(reply)["tasks"][0]["status"] == "PROCESSING"
    world.now += 0.5
    assert world.job(reply)["tasks"][0]["status"] == "SUCCESS"


def test_abnormal_count_counts_failed_and_skipped_only_when_told() -> None:
    for counted, expected in ((False, 1), (True, 2)):
        world = World(
            tasks={"failing_servers": ["s1"]}, servers={"fleet": RUNNING_FLEET}, jobs={"skipped_is_abnormal": counted}
        )
        reply = world.create("s1", "off")
        world.now += 999
        assert world.job(reply)["abnormal_count"] == expected


def test_the_list_filters_by_substring_or_exactly_and_lags() -> None:
    world = World(listing={"lag_s": 2})
    world.create("s1", name="hdk-1")
    assert world.service.list_jobs({"name": "hdk"}).body["total"] == 0
    world.now += 2
    assert world.service.list_jobs({"name": "hdk"}).body["total"] == 1
    exact = World(listing={"lag_s": 0, "name_filter": "exact"})
    exact.create("s1", name="hdk-1")
    assert exact.service.list_jobs({"name": "hdk"}).body["total"] == 0


def test_the_list_pages_newest_first_or_ignores_paging() -> None:
    world = World(listing={"lag_s": 0})
    ids = [world.create(f"s{i}").body["id"] for i in range(25)]
    page = world.service.list_jobs({"limit": "10", "offset": "20"}).body
    assert [row["id"] for row in page["data"]] == ids[4::-1]
    assert (page["total"], page["pages"], page["current"]) == (25, 3, 3)
    assert len(world.service.list_jobs({}).body["data"]) == 10
    deaf = World(listing={"lag_s": 0, "paging": "ignored"})
    for i in range(25):
        deaf.create(f"s{i}")
    assert deaf.service.list_jobs({"offset": "20"}).body["data"] == deaf.service.list_jobs({}).body["data"]


@pytest.mark.parametrize(
    ("switch", "servers", "status", "outcome"),
    [
        ({}, ["nobody"], 400, None),
        ({"unknown": "fail"}, ["nobody"], 200, "FAILED"),
        ({"unknown": "skip"}, ["nobody"], 200, "SKIPPED"),
        ({}, ["off"], 200, "SKIPPED"),
        ({"not_running": "refuse"}, ["off"], 400, None),
    ],
)
def test_servers_that_are_not_there_or_not_running(
    switch: dict[str, str], servers: list[str], status: int, outcome: str | None
) -> None:
    world = World(servers={"fleet": RUNNING_FLEET, **switch})
    reply = world.create(*servers)
    assert reply.status == status
    if outcome:
        world.now += 999
        assert world.job(reply)["tasks"][0]["status"] == outcome


@pytest.mark.parametrize(("busy", "status"), [("refuse", 400), ("queue", 200), ("skip", 200)])
def test_a_server_in_another_job(busy: str, status: int) -> None:
    world = World(servers={"busy": busy})
    world.create("s1")
    assert world.create("s1").status == status
    world.now += 999
    assert world.create("s1").status == 200


def test_a_server_reboots_after_a_failed_job_that_asked_for_it() -> None:
    world = World(
        tasks={"failing_servers": ["s1"], "duration_s": 10, "reboot_s": 60}, servers={"not_running": "refuse"}
    )
    world.create("s1", is_reboot=True)
    world.now += 30
    assert "REBOOTING" in world.create("s1").body["error_msg"]
    world.now += 60
    assert world.create("s1").status == 200


def test_a_throttled_create_makes_nothing_says_the_limit_and_counts() -> None:
    world = World(throttle={"creates": 2, "create_period_s": 60, "reads": None, "retry_after": True})
    replies = [world.create(f"s{i}") for i in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 429]
    assert "limit:2,time:1 minute" in replies[2].body["error_msg"]
    assert int(replies[2].headers["Retry-After"]) <= 61
    assert len(world.service.jobs) == 2
    world.now += 61
    assert world.create("s9").status == 200


def test_a_missing_job_is_400_with_the_services_own_code_or_404() -> None:
    assert World().service.get("nope").status == 400
    assert World().service.get("nope").body["error_code"] == "ModelArts.6404"
    assert World(jobs={"missing_is_404": True}).service.get("nope").status == 404


def test_deleting() -> None:
    world = World(listing={"lag_s": 0})
    reply = world.create("s1")
    assert world.service.delete({"job_ids": []}).status == 400
    assert world.service.delete({"job_ids": [reply.body["id"]]}).status == 400
    world.now += 999
    assert world.service.delete({"job_ids": [reply.body["id"]]}).status == 200
    assert world.service.get(reply.body["id"]).status == 400
    assert world.service.list_jobs({}).body["data"][0]["status"] == "DELETED"


def test_at_most_so_many_servers() -> None:
    assert World(jobs={"most_servers": 1}).create("s1", "s2").status == 400


@pytest.mark.parametrize(("form", "kind"), [("milliseconds", int), ("text", str), ("iso", str)])
def test_times_come_in_every_form(form: str, kind: type) -> None:
    assert isinstance(World(jobs={"times": form}).create().body["create_at"], kind)


def test_extra_fields_nulls_and_odd_statuses() -> None:
    world = World(jobs={"extra_fields": True, "nulls": True}, tasks={"unknown_status": 1.0, "duration_s": 100})
    reply = world.create("s1")
    assert reply.body["region_hint"]
    assert reply.body["user_name"] is None
    world.now += 50
    assert world.job(reply)["status"] == "CALIBRATING"


def test_the_fleet_is_listed_ten_at_a_time() -> None:
    world = World(servers={"fleet": {f"s{i}": "RUNNING" for i in range(30)}})
    assert len(world.service.list_servers({}).body["data"]) == 10
    assert world.service.list_servers({"limit": "0"}).status == 400
    assert world.service.list_servers({"limit": "1024"}).body["total"] == 30


def test_the_same_seed_makes_the_same_world() -> None:
    def outcomes() -> list[Any]:
        world = World(seed=7, tasks={"failing": 0.5})
        replies = [world.create(f"s{i}") for i in range(20)]
        world.now += 999
        return [world.job(reply) for reply in replies]

    assert outcomes() == outcomes()


def deviating(**deviations: Any) -> World:
    world = World(listing={"lag_s": 0, "page_size": 2}, deviations=deviations)
    for server in "abc":
        world.create(server, name=f"Name-{server}")
    return world


def listed(world: World, **query: str) -> Any:
    return world.service.list_jobs(query).body


@pytest.mark.parametrize(
    ("deviations", "total", "names"),
    [
        ({}, 3, ["Name-c", "Name-b"]),
        ({"total": "of_page"}, 2, ["Name-c", "Name-b"]),
        ({"total": "missing"}, None, ["Name-c", "Name-b"]),
        ({"total": "more"}, 4, ["Name-c", "Name-b"]),
        ({"rows": "none"}, 3, []),
        ({"rows": "fewer"}, 3, ["Name-b"]),
        ({"row_names": "null"}, 3, [None, None]),
        ({"names": "lower"}, 3, ["name-c", "name-b"]),
        ({"names": "upper"}, 3, ["NAME-C", "NAME-B"]),
        ({"names": "padded"}, 3, [" Name-c ", " Name-b "]),
        ({"names": "cut", "name_length": 5}, 3, ["Name-", "Name-"]),
        ({"hidden": "unfinished"}, 0, []),
        ({"hidden": "newest"}, 2, ["Name-b", "Name-a"]),
        ({"error_in_200": "nested"}, 0, []),
    ],
)
def test_a_list_may_deviate(deviations: dict[str, Any], total: int | None, names: list[str | None]) -> None:
    page = listed(deviating(**deviations))
    assert (page["total"], [row["name"] for row in page["data"]]) == (total, names)


def test_rows_may_have_no_name_at_all() -> None:
    assert all("name" not in row for row in listed(deviating(row_names="missing"))["data"])


@pytest.mark.parametrize(("pages", "names"), [("repeat", ["Name-b", "Name-a"]), ("skip", [])])
def test_pages_may_repeat_and_skip_rows(pages: str, names: list[str]) -> None:
    assert [row["name"] for row in listed(deviating(pages=pages), offset="2", limit="2")["data"]] == names


def test_finished_jobs_may_be_hidden() -> None:
    world = deviating(hidden="finished")
    assert listed(world)["total"] == 3
    world.now += 1000.0
    assert listed(world)["total"] == 0


def test_a_filter_by_name_may_match_nothing() -> None:
    world = deviating(name_filter="matches_nothing")
    assert listed(world, name="Name-a")["total"] == 0
    assert listed(world)["total"] == 3


def test_the_answer_to_a_create_may_be_about_another_job() -> None:
    assert deviating(create_answer="job_before").create("d", name="Name-d").body["name"] == "Name-c"
    assert deviating(create_answer="another_name").create("d").body["name"] == "somebody-elses"
    assert deviating(create_answer="other_servers").create("d").body["tasks"][0]["server_id"] == "somebody-elses"


def test_a_new_job_may_not_be_found_for_a_while() -> None:
    world = World(deviations={"detail_missing_s": 5.0})
    reply = world.create()
    assert world.service.get(reply.body["id"]).status == 400
    world.now += 5.0
    assert world.service.get(reply.body["id"]).status == 200
