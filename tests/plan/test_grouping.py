"""Which group a server is in, and what the parts of a group are called."""

from __future__ import annotations

import pytest

from runner.model import Server
from runner.plan.part_names import part_name
from runner.spec.loading import load_campaign
from runner.spec.rules import NAME
from tests.plan.test_expansion import HEAD, STEP, plan_of

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
