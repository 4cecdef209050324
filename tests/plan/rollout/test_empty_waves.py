"""A wave without servers is no wave: a plan that would go straight to the next one is refused, unless that is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from runner.errors import InvalidInput
from runner.plan.plan import Plan
from tests.rolling import Case, fleet, jobspec

SERVERS = fleet([{"ring": "canary" if place < 2 else "main", "flavor": f"f{place % 2}"} for place in range(8)])
CANARY = {"name": "canary", "select": 'labels.ring == "canary"'}
MISTYPED = {"name": "canary", "select": 'labels.ring == "canry"'}
LISTED = {"name": "canary", "servers": ["id-0", "name-[1-1]"]}
MAIN = {"name": "main", "select": "true"}
BY_FLAVOR = {**MAIN, "split_by": "labels.flavor"}
WAVES = [{"name": "first", "groups": ["canary"]}, {"name": "second", "groups": ["main"]}]
ALLOW: dict[str, Any] = {"allow_empty_waves": True}


def plan_of(of: list[Any], waves: list[Any] | None = None, **options: Any) -> Plan:
    rollout = {"waves": WAVES if waves is None else waves}
    return Case(jobspec(of, [4], rollout), SERVERS).plan(**{"allow_empty_waves": False, **options})


def refused(of: list[Any], waves: list[Any] | None = None, **options: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        plan_of(of, waves, **options)
    (problem,) = caught.value.problems
    assert problem.hint == "correct the group, take the wave out, or leave it out with --allow-empty-wave"
    assert (problem.file, problem.line) == ("f.yaml", 1)
    assert str(problem.path).endswith(".name")
    assert (problem.path or "").startswith("rollout.waves[")
    return problem.message


@pytest.mark.parametrize(
    ("groups", "options", "says"),
    [
        ([MISTYPED, MAIN], {}, 'group `canary` (labels.ring == "canry") selects none of 8 servers'),
        (
            [CANARY, MAIN],
            {"limit": 'labels.ring == "main"'},
            'group `canary` (labels.ring == "canary") selects 2 of 8 servers: 2 left out by --limit',
        ),
        (
            [LISTED, MAIN],
            {"limit": 'id not in ["id-0", "id-1"]'},
            "group `canary` (id-0, name-[1-1]) selects 2 of 8 servers: 2 left out by --limit",
        ),
        ([CANARY, MAIN], {"groups": ("main",)}, "group `canary` is left out by --group"),
        (
            [MAIN, CANARY],
            {},
            'group `canary` (labels.ring == "canary") selects 2 of 8 servers: 2 in groups before it',
        ),
        (
            [{"name": "other", "servers": ["id-0"]}, CANARY, MAIN],
            {"limit": 'id != "id-1"', "groups": ("canary", "main")},
            'group `canary` (labels.ring == "canary") selects 2 of 8 servers: 1 in groups before it, 1 left out by --limit',
        ),
    ],
)
def test_an_empty_wave_is_refused_with_its_reason(groups: list[Any], options: Any, says: str) -> None:
    assert refused(groups, **options) == f"wave `first` has no server: {says}"
    plan = plan_of(groups, **options, **ALLOW)
    assert plan.rollout is not None
    assert [wave.name for wave in plan.rollout.waves] == ["second"]
    assert f"f.yaml:1: wave `first` has no server: {says}" in plan.summary.warnings


def test_the_rest_may_not_be_nothing() -> None:
    every = {"name": "canary", "select": "true"}
    waves = [{"name": "first", "groups": ["canary"]}, {"name": "rest"}]
    says = "wave `rest` has no server: every group is in another wave"
    assert refused([every], waves) == says
    says = "wave `rest` has no server: group `main` (true) selects 8 of 8 servers: 8 in groups before it"
    assert refused([every, MAIN], waves) == says


def test_a_wave_with_a_server_is_one_though_a_group_of_it_has_none() -> None:
    plan = plan_of([MISTYPED, MAIN], [{"name": "both", "groups": ["canary", "main"]}])
    assert plan.summary.warnings == ("f.yaml:1: group `canary` selects no server",)


def test_of_several_groups_the_first_few_are_explained() -> None:
    groups = [{"name": f"g{place}", "select": "false"} for place in range(5)]
    waves = [{"name": "first", "groups": [group["name"] for group in groups]}, {"name": "rest"}]
    said = refused([*groups, MAIN], waves)
    assert said.count("(false) selects none of 8 servers") == 3
    assert said.endswith("; and 2 more groups")


def test_a_part_of_a_group_that_is_left_out_is_no_unknown_group() -> None:
    waves = [{"name": "first", "groups": ["main-f0"]}, {"name": "rest"}]
    limit = {"limit": 'labels.flavor == "f1"'}
    says = "wave `first` has no server: group `main-f0` (true) selects 4 of 8 servers: 4 left out by --limit"
    assert refused([BY_FLAVOR], waves, **limit) == says
    assert refused([BY_FLAVOR], waves, groups=("main-f1",)).endswith("group `main-f0` is left out by --group")
    with pytest.raises(InvalidInput, match="no such group `main-f9`"):
        plan_of([BY_FLAVOR], [{"name": "first", "groups": ["main-f9"]}, {"name": "rest"}], **limit)


def test_a_wave_of_a_part_of_a_group_is_not_empty() -> None:
    plan = plan_of([BY_FLAVOR], [{"name": "first", "groups": ["main-f0"]}, {"name": "rest"}])
    assert plan.rollout is not None
    assert [(wave.name, wave.servers) for wave in plan.rollout.waves] == [("first", 4), ("rest", 4)]
    assert not plan.summary.warnings


def test_a_plan_for_no_server_at_all_has_empty_waves_where_some_are_written() -> None:
    nothing = {"limit": "false"}
    assert "wave `only` has no server" in refused([MAIN], [{"name": "only"}], **nothing)
    assert not plan_of([MAIN], [{"name": "only"}], **nothing, **ALLOW).requests
    without = Case(jobspec([MAIN], [4], {"budget": {"max_abnormal": 1}}), SERVERS)
    assert not without.plan(allow_empty_waves=False, **nothing).requests


def test_why_is_not_looked_for_where_an_expression_fails_for_servers_left_out() -> None:
    """What is left out by --limit was never asked for: an expression need not hold there."""
    fails = {"name": "canary", "select": 'labels.ring == "canary" and (labels.flavor + 3)'}
    says = "wave `first` has no server: group `canary` has none here"
    assert refused([fails, MAIN], limit='labels.ring == "main"') == says


def test_all_that_are_in_no_other_wave_may_come_first() -> None:
    plan = plan_of([CANARY, MAIN], [{"name": "rest"}, {"name": "last", "groups": ["canary"]}])
    assert plan.rollout is not None
    assert [(wave.name, wave.servers) for wave in plan.rollout.waves] == [("rest", 6), ("last", 2)]
