"""Plans that do again, for some servers, what other plans did: also those with a rollout."""

from __future__ import annotations

import pytest

from runner.errors import InvalidInput
from runner.model import Server
from runner.plan.codec import plan_from_json, plan_to_json
from runner.plan.digests import LaneServer
from runner.plan.expansion import PlanOptions, expand
from runner.plan.plan import Plan
from runner.plan.retry import Parent, retry_plan
from runner.spec.loading import load_campaign

JOBSPEC = """\
api_version: runner/v1
name: test
lane: {region: r-1, project_id: p}
groups:
  - {name: canary, select: labels.ring == "canary"}
  - {name: rest, select: "true"}
steps:
  - {name: upgrade, type: HDK_UPGRADE, job_name: hdk, servers_per_job: 5, items: [{type: HDK_UPGRADE}]}
  - {name: logs, type: LOG_COLLECT, job_name: "logs-{{ group.name }}", items: [{type: LOG_COLLECT}]}
rollout:
  waves:
    - {name: canary, groups: [canary]}
    - {name: ramp, groups: [rest], sizes: [10, rest]}
  budget: {max_abnormal: 10%, per: {labels.rack: 50%}}
  on_failure: {step: logs}
"""
SERVERS = [
    Server(f"id-{i}", f"name-{i}", {"ring": "canary" if i < 4 else "main", "rack": f"r{i % 5}"}) for i in range(100)
]


def plan_of(jobspec: str = JOBSPEC) -> Plan:
    options = PlanOptions({}, "2026-01-01", 0.0, "0", "sha256:0")
    return expand(load_campaign(jobspec, "job.yaml"), SERVERS, options)


def parent(run_id: str, plan: Plan, *ids: str) -> Parent:
    return Parent(run_id, plan, {LaneServer("r-1/p", server_id): 0 for server_id in ids})


def retried(plan: Plan, *ids: str) -> Plan:
    again = retry_plan([parent("run-1", plan, *ids)], 1.0, "0")
    assert plan_from_json(plan_to_json(again), "plan").plan_hash == again.plan_hash
    return again


def test_servers_keep_their_waves_and_empty_waves_go() -> None:
    plan = plan_of()
    first_of_ramp = next(plan.servers_of(index)[0].id for index, r in enumerate(plan.requests) if r.wave == 2)
    again = retried(plan, "id-0", "id-3", first_of_ramp)
    assert again.rollout is not None
    assert [(wave.name, wave.servers) for wave in again.rollout.waves] == [("canary", 2), ("ramp-2", 1)]
    assert [(r.wave, [s.id for s in again.servers_of(i)]) for i, r in enumerate(again.requests)] == [
        (0, ["id-0", "id-3"]),
        (1, [first_of_ramp]),
    ]


def test_limits_are_those_of_the_first_campaign_in_servers() -> None:
    again = retried(plan_of(), "id-7")
    assert again.rollout is not None
    assert again.rollout.budget.limits["max_abnormal"].of(1) == 10
    (rack,) = again.rollout.budget.per
    assert rack.most is not None
    assert rack.most.of(1) == 10


def test_of_several_waves_and_groups_the_smallest_limit_counts_for_all() -> None:
    per = "max_abnormal_per_wave: 50%, max_abnormal_per_group: 50%"
    again = retried(plan_of(JOBSPEC.replace("max_abnormal: 10%", per)), "id-7")
    assert again.rollout is not None
    # Of waves of 4, 10 and 86 servers, and of groups of 4 and 96.
    assert {name: share.of(1) for name, share in again.rollout.budget.limits.items()} == {
        "max_abnormal_per_wave": 2,
        "max_abnormal_per_group": 2,
    }


def test_what_follows_a_failure_is_each_groups_own() -> None:
    again = retried(plan_of(), "id-0", "id-7")
    assert again.rollout is not None
    names = [body["name"] for body in again.rollout.failure_bodies]
    assert names == [f"logs-{group.name}" for group in again.groups] == ["logs-canary", "logs-rest"]


def test_runs_with_other_waves_are_not_retried_together() -> None:
    one, other = plan_of(), plan_of(JOBSPEC.replace("sizes: [10, rest]", "sizes: [50, 25, rest]"))
    with pytest.raises(InvalidInput, match="the runs have different waves"):
        retry_plan([parent("run-1", one, "id-0"), parent("run-2", other, "id-7")], 1.0, "0")


def test_groups_of_several_runs_that_are_called_alike_stay_apart() -> None:
    plan = plan_of()
    again = retry_plan([parent("run-1", plan, "id-0"), parent("run-2", plan, "id-1")], 1.0, "0")
    assert [group.name for group in again.groups] == ["canary", "canary-2"]
