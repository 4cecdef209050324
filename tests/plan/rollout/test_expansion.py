"""Plans with a rollout: every server in one wave, units whole, no request above a limit, the same every time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from runner.errors import InvalidInput
from runner.model import Server
from runner.plan.codec import hash_plan, plan_from_json, plan_to_json
from runner.plan.plan import Plan
from tests.rolling import Case, by_flavor, cases, everyone, feasible, fleet, fleets, jobspec, try_plan

some = settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])


def share_of(text: str | int, total: int) -> int:
    """A limit as the documentation says: a number, or percent of what it is about, rounded down."""
    if isinstance(text, str) and text.endswith("%"):
        return math.floor(Fraction(text.removesuffix("%")) * total / 100)
    return int(text)


def units(servers: Sequence[Server]) -> list[list[Server]]:
    """Those that share a hyper instance; others alone."""
    found: dict[str, list[Server]] = {}
    for server in servers:
        found.setdefault(server.labels.get("hyper", server.id), []).append(server)
    return list(found.values())


def is_whole(case: Case) -> bool:
    return "labels.hyper" in case.rollout["budget"]["per"]


def domain_limits(case: Case, servers: Sequence[Server]) -> Iterator[tuple[str, str, int]]:
    """Label, value, and how many servers may be abnormal or in flight of it."""
    for expression, limit in case.rollout["budget"]["per"].items():
        label = expression.removeprefix("labels.")
        if limit != "whole":
            totals = Counter(server.labels[label] for server in servers if label in server.labels)
            yield from ((label, value, share_of(limit, total)) for value, total in totals.items())


def having(servers: Sequence[Server], label: str, value: str) -> int:
    return sum(server.labels.get(label) == value for server in servers)


@some
@given(feasible())
def test_every_server_is_in_one_wave_and_in_one_request_of_each_step(pair: tuple[Case, Plan]) -> None:
    case, plan = pair
    assert plan.rollout is not None
    waves: dict[str, set[int]] = {}
    seen: Counter[tuple[str, int]] = Counter()
    for index, request in enumerate(plan.requests):
        for server in plan.servers_of(index):
            seen[server.id, request.step] += 1
            waves.setdefault(server.id, set()).add(request.wave)
    assert seen == {(server.id, step): 1 for server in case.servers for step in range(len(plan.steps))}
    assert all(len(found) == 1 for found in waves.values())
    sizes = Counter(wave for (wave,) in waves.values())
    assert [sizes[wave] for wave in range(len(plan.rollout.waves))] == [wave.servers for wave in plan.rollout.waves]


@some
@given(feasible())
def test_requests_are_slices_one_after_the_other_and_waves_follow_each_other(pair: tuple[Case, Plan]) -> None:
    _, plan = pair
    at: Counter[tuple[int, int]] = Counter()
    last_wave: Counter[tuple[int, int]] = Counter()
    for request in plan.requests:
        key = (request.group, request.step)
        assert request.start == at[key] < request.stop
        assert request.wave >= last_wave[key]
        at[key], last_wave[key] = request.stop, request.wave
    for group, planned in enumerate(plan.groups):
        assert {at[group, step] for step in range(len(plan.steps))} == {len(planned.servers)}
    order = [(request.wave, request.group, request.step, request.start) for request in plan.requests]
    assert order == sorted(order)


@some
@given(feasible())
def test_whole_units_are_never_parted(pair: tuple[Case, Plan]) -> None:
    case, plan = pair
    assume(is_whole(case))
    where: dict[tuple[str, int], set[int]] = {}
    for index, request in enumerate(plan.requests):
        for server in plan.servers_of(index):
            where.setdefault((server.labels.get("hyper", server.id), request.step), set()).add(index)
    assert all(len(requests) == 1 for requests in where.values())


@some
@given(feasible())
def test_no_request_is_above_any_limit_by_itself(pair: tuple[Case, Plan]) -> None:
    case, plan = pair
    assert plan.rollout is not None
    budget, total = case.rollout["budget"], len(case.servers)
    for index, request in enumerate(plan.requests):
        servers = plan.servers_of(index)
        count = len(servers)
        assert count <= case.jobspec["steps"][request.step]["servers_per_job"]
        for name in ("max_abnormal", "max_unavailable", "max_skipped"):
            assert name not in budget or count <= share_of(budget[name], total)
        wave, group = plan.rollout.waves[request.wave], plan.groups[request.group]
        if "max_abnormal_per_wave" in budget:
            assert count <= share_of(budget["max_abnormal_per_wave"], wave.servers)
        if "max_abnormal_per_group" in budget:
            assert count <= share_of(budget["max_abnormal_per_group"], len(group.servers))
        for label, value, most in domain_limits(case, case.servers):
            assert having(servers, label, value) <= most


def wanted(size: Any, left: int) -> int:
    if size == "rest":
        return left
    percent = isinstance(size, str)
    return max(1, math.ceil(Fraction(size.removesuffix("%")) * left / 100)) if percent else int(size)


@some
@given(feasible())
def test_waves_have_the_sizes_asked_for_as_far_as_units_allow(pair: tuple[Case, Plan]) -> None:
    case, plan = pair
    assert plan.rollout is not None
    largest = max(map(len, units(case.servers))) if is_whole(case) else 1
    for entry in case.rollout["waves"]:
        asked = entry.get("sizes", ["rest"])
        waves = [wave for wave in plan.rollout.waves if wave.name.split("-")[0] == entry["name"]]
        if not isinstance(asked, list):
            continue
        left = sum(wave.servers for wave in waves)
        for size, wave in zip(asked, waves, strict=False):
            most = min(left, wanted(size, left))
            assert most - largest < wave.servers <= max(most, largest)
            assert largest > 1 or wave.servers == most
            left -= wave.servers
        assert not left


@given(fleets, st.integers(1, 12))
def test_early_waves_cover_the_first_stratum(servers: list[Server], first: int) -> None:
    rollout = {"waves": [{"name": "w", "sizes": [first, "rest"]}], "strata": ["labels.rack", "labels.az"]}
    for groups in (everyone, by_flavor):
        plan = Case(jobspec(groups, [1], rollout), servers).plan()
        early = [plan.servers_of(i)[0] for i, request in enumerate(plan.requests) if request.wave == 0]
        racks = {server.labels.get("rack") for server in servers}
        assert len({server.labels.get("rack") for server in early}) == min(first, len(racks))


@some
@given(feasible())
def test_a_plan_is_the_same_every_time_and_survives_its_file(pair: tuple[Case, Plan]) -> None:
    case, plan = pair
    assert case.plan().plan_hash == plan.plan_hash
    for readable in (True, False):
        data = plan_to_json(plan, readable=readable)
        again = plan_from_json(data, "p.json")
        assert again.plan_hash == plan.plan_hash == hash_plan(again)
        assert again.rollout == plan.rollout
        assert again.requests == plan.requests
        assert [list(group.servers) for group in again.groups] == [list(group.servers) for group in plan.groups]
        assert plan_to_json(again, readable=readable) == data


def test_every_part_of_a_rollout_survives_a_file() -> None:
    rollout = {
        "waves": [{"name": "w", "sizes": [1, "rest"], "soak": "5m", "approve": True}],
        "budget": {
            "max_abnormal": 2,
            "max_abnormal_per_wave": "100%",
            "max_abnormal_per_group": 2,
            "max_unavailable": "50%",
            "max_skipped": 2,
            "per": {"labels.rack": "99.5 %", "labels.hyper": "whole"},
        },
        "abort": {"sequential": {"healthy": "0.5%"}, "after_unknown": 3},
        "on_breach": "abort",
        "window": {"allow": ["Sat 01:00-06:00"], "deny": ["2026-12-24"], "timezone": "Europe/Berlin"},
        "deadline": "2d",
        "checks": [
            {"name": "a", "command": ["true", "{{ wave.name }}"], "attempts": 3},
            {"name": "b", "http": "http://h/{{ wave.name }}", "timeout": "1s"},
            {"name": "c", "step": "s1"},
        ],
        "on_failure": {"step": "s2"},
    }
    servers = fleet([{"rack": f"r{place % 2}", "hyper": str(place)} for place in range(8)])
    plan = Case(jobspec(everyone, [2, 3, 1], rollout), servers).plan()
    again = plan_from_json(plan_to_json(plan), "p.json")
    assert again.rollout == plan.rollout
    assert again.plan_hash == plan.plan_hash
    assert again.rollout is not None
    assert again.rollout.waves[1].checks[0].command == ("true", "w-2")


@given(fleets)
def test_without_a_rollout_a_plan_file_has_no_part_of_one(servers: list[Server]) -> None:
    document = orjson.loads(plan_to_json(Case(jobspec(by_flavor, [3], None), servers).plan(), readable=True))
    assert set(document) - {"labels"} == {
        "plan_hash", "schema_version", "campaign", "description", "created_at", "runner_version", "inventory_fingerprint",
        "parents", "jobspec", "variables", "summary", "submit", "watch", "lanes", "steps", "groups", "requests",
    }  # fmt: skip
    assert all(set(group) == {"name", "lane", "servers", "server_names"} for group in document["groups"])
    assert all(set(request) == {"group", "step", "start", "stop", "body"} for request in document["requests"])


def too_small(case: Case) -> set[str]:
    """The names of the limits that some unit does not fit, whatever else is in flight."""
    budget, total = case.rollout["budget"], len(case.servers)
    together = units(case.servers) if is_whole(case) else [[server] for server in case.servers]
    groups: dict[str, list[Server]] = {}
    for server in case.servers:
        named = case.jobspec["groups"] != everyone
        groups.setdefault(server.labels["flavor"] if named else "g", []).append(server)
    found = set()
    largest = max(map(len, together))
    for name in ("max_abnormal", "max_unavailable", "max_skipped"):
        if name in budget and share_of(budget[name], total) < largest:
            found.add(name)
    if "max_abnormal_per_group" in budget:
        for servers in groups.values():
            mine = units(servers) if is_whole(case) else [[server] for server in servers]
            if share_of(budget["max_abnormal_per_group"], len(servers)) < max(map(len, mine)):
                found.add("max_abnormal_per_group")
    for label, value, most in domain_limits(case, case.servers):
        if any(having(unit, label, value) > most for unit in together):
            found.add(f"labels.{label}={value}")
    if any(step["servers_per_job"] < largest for step in case.jobspec["steps"]):
        found.add("servers_per_job")
    return found


@given(cases())
def test_limits_that_can_never_be_met_are_refused_with_their_name_and_scope(case: Case) -> None:
    plan, names = try_plan(case), too_small(case)
    if isinstance(plan, Plan):
        assert not names
        return
    said = str(plan)
    if "max_abnormal_per_wave" in case.rollout["budget"]:
        names = names or {"max_abnormal_per_wave of wave w"}
    assert names
    domains = {name for name in names if "=" in name}
    assert all(name in said for name in names - domains)
    assert not domains or any(name in said for name in domains)


PAIR = {"hyper": "h", "rack": "r"}


def refused(servers: list[Mapping[str, str]], groups: list[Any], rollout: Mapping[str, Any]) -> str:
    with pytest.raises(InvalidInput) as caught:
        Case(jobspec(groups, [4], rollout), fleet(servers)).plan()
    return str(caught.value)


def test_a_unit_that_a_failure_domain_has_no_room_for_is_said() -> None:
    budget = {"per": {"labels.rack": 1, "labels.hyper": "whole"}}
    assert "labels.rack=r comes to 1 of 2 servers: 2 must go together" in refused(
        [PAIR, PAIR], everyone, {"budget": budget}
    )


def test_a_unit_in_several_groups_is_said_though_each_is_in_a_wave_of_its_own() -> None:
    groups = [{"name": "one", "servers": ["id-0"]}, {"name": "two", "select": "true"}]
    for waves in ([{"name": "w"}], [{"name": "v", "groups": ["one"]}, {"name": "w"}]):
        rollout = {"waves": waves, "budget": {"per": {"labels.hyper": "whole"}}}
        assert "servers that must go together are in several groups" in refused([PAIR, PAIR], groups, rollout)


def test_a_unit_selected_in_part_is_said() -> None:
    rollout = {"budget": {"per": {"labels.hyper": "whole"}}}
    assert "h is selected in part: name-1 would be left out" in refused(
        [PAIR, PAIR], [{"name": "one", "servers": ["id-0"]}], rollout
    )


def test_waves_that_would_be_called_the_same_are_said() -> None:
    groups = [{"name": "one", "servers": ["id-0", "id-1"]}, {"name": "two", "select": "true"}]
    waves = [{"name": "w", "groups": ["one"], "sizes": [1, 1]}, {"name": "w-2"}]
    assert "a second wave called `w-2`" in refused([{}, {}, {}], groups, {"waves": waves})


def test_an_expression_may_give_what_cannot_be_a_key() -> None:
    split = 'labels.rack.split("-")'
    rollout = {"strata": [split], "waves": [{"name": "w", "sizes": [2, "rest"]}], "budget": {"per": {split: 1}}}
    servers = fleet([{"rack": f"a-{place // 2}"} for place in range(4)])
    plan = Case(jobspec(everyone, [4], rollout), servers).plan()
    assert [server.labels["rack"] for server in plan.groups[0].servers] == ["a-0", "a-1", "a-0", "a-1"]
    whole = {"budget": {"per": {split: "whole"}}}
    plan = Case(jobspec(everyone, [2], whole), servers).plan()
    assert [request.stop - request.start for request in plan.requests] == [2, 2]


def test_percentages_are_of_those_that_a_limit_is_about() -> None:
    """34 % of 3, 6 and 9 servers is 1, 2 and 3: rounded down, of the wave, the group, the value, the campaign."""
    servers = fleet([{"flavor": "f1" if place < 3 else "f2"} for place in range(9)])
    for name, sizes in (
        ("max_abnormal", {"g-f1": 3, "g-f2": 3}),
        ("max_unavailable", {"g-f1": 3, "g-f2": 3}),
        ("max_skipped", {"g-f1": 3, "g-f2": 3}),
        ("max_abnormal_per_group", {"g-f1": 1, "g-f2": 2}),
        ("max_abnormal_per_wave", {"g-f1": 1, "g-f2": 2}),
        ("per", {"g-f1": 1, "g-f2": 2}),
    ):
        limit = {"labels.flavor": "34%"} if name == "per" else "34%"
        waves = [{"name": "v", "groups": ["g-f1"]}, {"name": "w"}]
        plan = Case(jobspec(by_flavor, [9], {"waves": waves, "budget": {name: limit}}), servers).plan()
        largest: dict[str, int] = {}
        for request in plan.requests:
            group = plan.groups[request.group].name
            largest[group] = max(largest.get(group, 0), request.stop - request.start)
        assert largest == sizes
