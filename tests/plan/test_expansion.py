from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import InvalidInput, RefusedToStart
from runner.model import Lane, Server
from runner.plan.codec import hash_plan, plan_from_json, plan_to_json
from runner.plan.dependencies import prerequisites
from runner.plan.estimate import submission_s
from runner.plan.expansion import PlanOptions, expand
from runner.plan.keys import job_name, request_key, run_token
from runner.plan.plan import Plan
from runner.spec.loading import load_campaign
from runner.spec.rules import NAME

HEAD = "api_version: runner/v1\nname: c\n"
STEP = "steps:\n  - {name: s, type: T, job_name: 'n-{{ group.name }}', servers_per_job: 3, items: [{type: I, spec: {v: 24.1}}]}\n"
GROUPS = """groups:
  - {name: one, select: labels.ring == "a"}
  - {name: two, select: labels.role == "x", split_by: labels.flavor}
  - {name: three, select: "id.endswith('7')"}
"""
OPTIONS = PlanOptions(
    env={},
    run_date="2026-01-01",
    created_at=1.0,
    runner_version="0",
    inventory_fingerprint="",
    lane=Lane("cn-north-9", None, "p"),
)


def plan_of(text: str, servers: list[Server] | None, **changes: Any) -> Plan:
    return expand(load_campaign(text, "f.yaml"), servers, replace(OPTIONS, **changes))


def says(text: str, servers: list[Server] | None, **changes: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        plan_of(text, servers, **changes)
    return str(caught.value)


# A label that no server has is a mistake.
ALL_LABELS = {"flavor": "f1", "ring": "b", "role": "y"}
labels = st.fixed_dictionaries(
    {"flavor": st.sampled_from(["f1", "f2"])}, optional={"ring": st.sampled_from("ab"), "role": st.sampled_from("xy")}
)
fleets = st.lists(labels, max_size=40).map(
    lambda found: [Server(f"id-{i}", f"name-{i}", row) for i, row in enumerate([ALL_LABELS, *found])]
)


@given(fleets)
def test_every_selected_server_is_in_exactly_one_request_and_the_first_group_wins(servers: list[Server]) -> None:
    plan = plan_of(HEAD + GROUPS + STEP, servers)
    planned = [server for index in range(len(plan.requests)) for server in plan.servers_of(index)]
    assert len({server.id for server in planned}) == len(planned)
    where = {server.id: group.name for group in plan.groups for server in group.servers}
    for server in servers:
        expected = None
        if server.labels.get("ring") == "a":
            expected = "one"
        elif server.labels.get("role") == "x":
            expected = f"two-{server.labels['flavor']}"
        elif server.id.endswith("7"):
            expected = "three"
        assert where.get(server.id) == expected
    assert plan.summary.selected + plan.summary.unselected == len(servers)
    assert all(1 <= request.stop - request.start <= 3 for request in plan.requests)


@given(fleets)
def test_a_plan_is_the_same_every_time_and_survives_its_file(servers: list[Server]) -> None:
    plan = plan_of(HEAD + GROUPS + STEP, servers)
    assert plan.plan_hash == plan_of(HEAD + GROUPS + STEP, servers).plan_hash
    again = plan_from_json(plan_to_json(plan, readable=True), "p.json")
    assert plan_to_json(again) == plan_to_json(plan)
    stored = plan_from_json(plan_to_json(plan), "stored")
    assert plan_to_json(stored, readable=True) == plan_to_json(plan, readable=True)
    for group, written in zip(stored.groups, plan.groups, strict=True):
        assert list(group.servers) == [group.servers[i] for i in range(len(group.servers))]
        assert [server.id for server in group.servers[1:3]] == [server.id for server in written.servers[1:3]]
    assert hash_plan(again) == plan.plan_hash


def test_any_change_of_a_plan_file_is_refused() -> None:
    text = plan_to_json(plan_of(HEAD + GROUPS + STEP, [Server("id-7", "n", {}), Server("id-8", "m", ALL_LABELS)]))
    for old, new in ((b'"24.1"', b'"24.2"'), (b'"id-7"', b'"id-8"'), (b'"rate":10.0', b'"rate":99.0')):
        assert old in text
        with pytest.raises(RefusedToStart, match="was changed"):
            plan_from_json(text.replace(old, new), "p.json")


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"schema_version": "runner/plan/v9"}'])
def test_what_is_no_plan_is_said(text: bytes) -> None:
    with pytest.raises(InvalidInput):
        plan_from_json(text, "p.json")


FLEET = [Server(f"id-{i}", f"name-{i}", {"ring": "a", "flavor": "f1"}) for i in range(7)]


def test_variables_by_precedence_and_using_each_other() -> None:
    text = HEAD + "vars: {version: '1', title: 'v{{ version }}'}\n"
    text += 'groups: [{name: g, select: "true", vars: {version: "4"}}]\n' + STEP.replace(
        "n-{{ group.name }}", "{{ title }}-{{ extra }}"
    )
    plan = plan_of(text, FLEET, vars_file={"version": "2", "extra": "file"}, variables={"version": "3", "extra": "e"})
    assert plan.requests[0].body["name"] == "v4-e"


def test_a_circle_of_variables_is_said() -> None:
    text = HEAD + "vars: {a: '{{ b }}', b: '{{ a }}'}\n" + 'groups: [{name: g, select: "true"}]\n' + STEP
    assert "variables use each other in a circle" in says(text, FLEET)


def test_batches_are_counted_from_one() -> None:
    text = (
        HEAD
        + 'groups: [{name: g, select: "true"}]\n'
        + STEP.replace("n-{{ group.name }}", "b{{ batch.index }}of{{ batch.count }}")
    )
    assert [request.body["name"] for request in plan_of(text, FLEET).requests] == ["b1of3", "b2of3", "b3of3"]


def test_what_a_template_renders_to_is_checked_once() -> None:
    text = HEAD + 'groups: [{name: g, select: "true"}]\n' + STEP.replace("n-{{ group.name }}", "a b {{ group.name }}")
    assert says(text, FLEET).count("is refused by the service") == 1


def test_servers_by_id_name_and_range() -> None:
    text = HEAD + 'groups: [{name: g, servers: [id-0, "name-[2-3]"]}]\n' + STEP
    assert [server.id for server in plan_of(text, FLEET).groups[0].servers] == ["id-0", "id-2", "id-3"]
    assert "has the id or name 'name-9'" in says(text.replace("[2-3]", "[2-9]").replace("2-9", "9"), FLEET)


def test_without_an_inventory_listed_ids_are_the_servers() -> None:
    plan = plan_of(HEAD + 'groups: [{name: g, servers: ["x-[1-2]"]}]\n' + STEP, None)
    assert [server.id for server in plan.groups[0].servers] == ["x-1", "x-2"]
    assert "selects from an inventory, and none is given" in says(HEAD + GROUPS + STEP, None)


def test_group_and_limit_leave_servers_out() -> None:
    text = HEAD + 'groups: [{name: a, servers: [id-1]}, {name: rest, select: "true"}]\n' + STEP
    assert plan_of(text, FLEET, groups=("rest",)).summary.selected == 6
    assert plan_of(text, FLEET, limit='id != "id-2"', groups=("rest",)).summary.selected == 5
    assert "did you mean `rest`?" in says(text, FLEET, groups=("rst",))


def test_a_server_without_a_value_to_split_by_is_said() -> None:
    text = HEAD + 'groups: [{name: g, select: "true", split_by: labels.rack}]\n' + STEP
    some = [*FLEET, Server("id-7", "name-7", {"rack": "r1"})]
    assert "7 servers of group `g` have no value to split by, such as id-0" in says(text, some)


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 9))
def test_a_request_waits_for_exactly_those_that_hold_its_servers(size: int, first: int, second: int) -> None:
    step = "  - {{name: s{n}, type: T, job_name: n, servers_per_job: {each}, items: [{{type: I}}]}}\n"
    text = (
        HEAD
        + 'groups: [{name: g, select: "true"}]\nsteps:\n'
        + step.format(n=1, each=first)
        + step.format(n=2, each=second)
    )
    plan = plan_of(text, [Server(f"i{n}", "n", {}) for n in range(size)])
    for index, needed in enumerate(prerequisites(plan)):
        mine = {server.id for server in plan.servers_of(index)}
        expected = [
            other
            for other, request in enumerate(plan.requests)
            if request.step == plan.requests[index].step - 1 and mine & {server.id for server in plan.servers_of(other)}
        ]
        assert list(needed) == expected


@given(st.text(min_size=1), st.integers(0, 36**6 - 1), st.from_regex(NAME.pattern, fullmatch=True))
def test_job_names_are_unique_and_fit(run_id: str, index: int, rendered: str) -> None:
    key = request_key(run_token(run_id), index)
    assert len(key) == 12
    assert key != request_key(run_token(run_id), (index + 1) % 36**6)
    assert NAME.accepts(job_name(rendered, key))
    assert job_name(rendered, key).endswith(f"-{key}")


def test_the_estimate_is_rate_and_burst() -> None:
    plan = plan_of(
        HEAD + 'groups: [{name: g, select: "true"}]\n' + STEP.replace("servers_per_job: 3", "servers_per_job: 1"),
        FLEET * 1,
    )
    assert submission_s(replace(plan, submit=replace(plan.submit, rate=2.0, burst=1))) == 3.0


def test_a_listed_server_that_is_left_out_is_not_absent() -> None:
    text = HEAD + 'groups: [{name: a, servers: [id-1, "name-[2-3]"]}]\n' + STEP
    assert [s.id for s in plan_of(text, FLEET, limit='id != "id-1"').groups[0].servers] == ["id-2", "id-3"]
    assert not plan_of(text, FLEET, limit="false").requests
    assert "has the id or name 'id-9'" in says(text.replace("id-1", "id-9"), FLEET, limit="false")
