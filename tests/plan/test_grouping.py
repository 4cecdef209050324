"""Which group a server is in, and what the parts of a group are called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import Problem
from runner.model import Server
from runner.plan.grouping import select_groups
from runner.plan.part_names import part_name
from runner.servers import columns_of
from runner.spec.campaign import Template
from runner.spec.expressions import ServerExpression
from runner.spec.loading import load_campaign
from runner.spec.names import Names
from runner.spec.rules import NAME
from runner.spec.templates import TemplateProblem
from tests.plan.test_expansion import HEAD, STEP, plan_of

CONTEXT = {"vars": Names("vars", {})}
FLEET = [Server(f"s{place}", f"n{place}", {"rack": "r1"}) for place in range(4)]


def groups_of(*groups: str) -> dict[str, list[str]]:
    plan = plan_of(f"{HEAD}{STEP}groups:\n" + "".join(f"  - {{{group}}}\n" for group in groups), FLEET)
    return {group.name: [server.id for server in group.servers] for group in plan.groups}


def test_the_first_group_that_selects_a_server_has_it_whether_it_lists_or_selects() -> None:
    lists, selects = "name: lists, servers: [s1, n2]", "name: selects, select: labels.rack == 'r1'"
    assert groups_of(selects, lists) == {"selects": ["s0", "s1", "s2", "s3"]}
    assert groups_of(lists, selects) == {"lists": ["s1", "s2"], "selects": ["s0", "s3"]}
    assert groups_of(lists, "name: again, servers: [s2, s3]") == {"lists": ["s1", "s2"], "again": ["s3"]}


@pytest.mark.parametrize("length", [1, 30, 50, 55, 58, 59, 60, 64, 100])
def test_the_name_of_a_part_is_never_longer_than_the_service_allows(length: int) -> None:
    text = f"{HEAD}{STEP}groups:\n  - {{name: part, select: 'true', split_by: labels.rack}}\n"
    (group,) = load_campaign(text, "f.yaml").groups
    for value in ("x" * length, "\u5317" * length, "x" * (length - 1) + "/"):
        name = part_name(group, value, [group])
        assert NAME.accepts(name)
        assert len(name) <= 64
        assert name != part_name(group, value + "y", [group])


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["7", "8", "x", "", None])), min_size=1, max_size=12),
    st.sampled_from(["labels.zone", "labels.zone|default('7')|int", "name", "labels.zone|default('x') ~ name"]),
)
def test_parts_have_the_servers_that_each_value_has_and_stop_at_the_first_that_cannot_be_told(
    fleet: list[tuple[str, str | None]], split_by: str
) -> None:
    servers = [
        Server(f"s{n}", f"n{n % 3}", {"ring": ring} | ({} if zone is None else {"zone": zone}))
        for n, (ring, zone) in enumerate(fleet)
    ]
    text = f"""{HEAD}{STEP}groups:
  - {{name: first, select: labels.ring == 'a', split_by: "{split_by}"}}
  - {{name: second, select: 'true'}}
"""
    groups = load_campaign(text, "f.yaml").groups
    problems: list[Problem] = []
    selected = select_groups(groups, columns_of(servers), [CONTEXT, CONTEXT], problems)
    told: dict[str, list[str]] = {}
    split = ServerExpression(Template(split_by, groups[0].place), {})
    failed: list[Problem] = []
    for server in (server for server in servers if server.labels["ring"] == "a"):
        try:
            value = split.value(server)
        except TemplateProblem as error:
            failed = [error.problem]
            break
        told.setdefault("" if value is None else str(value), []).append(server.id)
    lacking = told.pop("", [])
    assert [problem.message for problem in problems[: len(failed)]] == [problem.message for problem in failed]
    assert [problem.message for problem in problems[len(failed) :]] == [
        f"{len(lacking):,} servers of group `first` have no value to split by, such as {server_id}"
        for server_id in lacking[:1]
    ]
    found = {one.value: [server.id for server in one.servers] for one in selected if one.spec.name == "first"}
    assert found == told if told else not any(found.values())
    assert [server.id for server in selected[-1].servers] == [
        server.id for server in servers if server.labels["ring"] == "b"
    ]
