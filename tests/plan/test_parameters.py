"""What is sent to whom, as a reviewer reads it: every server is counted once, and what differs is not hidden."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from runner.plan.parameters import step_parameters
from runner.plan.plan import Plan
from tests.engine.rollout_plans import Spec, fleet, group, rollout_plan, step

UPGRADE = step("upgrade", items=[{"type": "HDK_UPGRADE", "spec": {"version": "{{ vars.version }}", "reboot": True}}])


def of_racks(*versions: str) -> list[Spec]:
    return [group(f"r{rack}", f'labels.rack == "r{rack}"') | {"vars": {"version": version}} for rack, version in enumerate(versions)]  # fmt: skip


def plan_of(versions: list[str], servers: int) -> Plan:
    return rollout_plan(
        {"waves": [{"name": "w", "sizes": [1, "rest"]}]},
        fleet(servers, racks=len(versions)),
        steps=[UPGRADE],
        groups=of_racks(*versions),
    )


@given(st.lists(st.sampled_from(["24.1", "24.2", "24.3"]), min_size=2, max_size=5), st.integers(5, 30))
def test_each_value_is_told_with_as_many_servers_of_each_group_as_get_it(versions: list[str], servers: int) -> None:
    plan = plan_of(versions, servers)
    (sent,) = step_parameters(plan)
    version, reboot = (
        next(each for each in sent.parameters if each.path == f"items[0].spec.{name}") for name in ("version", "reboot")
    )
    assert version.values == {
        group.name: Counter({f'"{version}"': len(group.servers)})
        for group, version in zip(plan.groups, versions, strict=True)
    }
    assert (sent.servers, sent.unread) == (servers, 0)
    assert version.is_same == (len(set(versions)) == 1)
    assert reboot.is_same


def test_steps_that_only_a_check_or_a_failure_asks_for_are_told_apart() -> None:
    plan = rollout_plan(
        {"waves": [{"name": "w"}], "checks": [{"name": "looked", "step": "look"}]},
        fleet(6),
        steps=[step("upgrade"), step("look", servers_per_job=3)],
    )
    assert [(sent.step, sent.servers) for sent in step_parameters(plan)] == [("upgrade", 6), ("look", 6)]
