"""What waves are made of, against counting each server by itself."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from runner.plan.plan import Plan
from runner.plan.rollout.composition import compositions
from runner.plan.rollout.limits import domain_tables
from tests.engine.rollout_plans import fleet, group, rollout_plan, step


def counted(plan: Plan, label: str) -> list[Counter[str]]:
    assert plan.rollout is not None
    counts = [Counter[str]() for _ in plan.rollout.waves]
    for index, request in enumerate(plan.requests):
        if request.step == 0:
            counts[request.wave].update(server.labels[label] for server in plan.servers_of(index))
    return counts


@given(st.integers(3, 40), st.integers(1, 4), st.integers(1, 3), st.sampled_from(["stratified", "listed", "shuffled"]))
def test_every_server_is_counted_in_its_wave(servers: int, racks: int, per_job: int, order: str) -> None:
    plan = rollout_plan(
        {"waves": [{"name": "w", "sizes": [1, "40%", "rest"]}], "order": order, "budget": {"per": {"labels.hyper": 2}}},
        fleet(servers, racks, version="24"),
        steps=[step("upgrade", per_job), step("check", 1)],
        groups=[group("odd", 'labels.rack == "r1"'), group("rest", 'labels.rack != "r1"')][racks == 1 :],
    )
    found = {one.called: one for one in compositions(plan, domain_tables(plan))}
    assert [len(counts) for counts in found["labels.hyper"].counts] == [len(c) for c in counted(plan, "hyper")]
    if racks > 1:
        assert found["labels.rack"].counts == counted(plan, "rack")
    assert ("labels.rack" in found) == (racks > 1)
    assert "labels.version" not in found
