"""Plans with rollouts for stories, made as a person makes them: a jobspec's text, loaded and expanded over servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from runner.model import Lane, Server
from runner.plan.expansion import PlanOptions, expand
from runner.plan.plan import Plan
from runner.spec.loading import load_campaign

Spec = Mapping[str, Any]

SUBMIT: Spec = {"rate": "100/s", "burst": 100, "concurrency": 8, "attempts": 50, "settle": "15s"}
_OPTIONS = PlanOptions(
    env={},
    run_date="2026-01-01",
    created_at=1.0,
    runner_version="0",
    inventory_fingerprint="",
    lane=Lane(None, None, "p"),
)


def fleet(count: int, racks: int = 4, **labels: str) -> list[Server]:
    """Servers s000, s001, ... dealt out over racks r0, r1, ...; each pair of neighbours is on one hypervisor."""
    return [
        Server(f"s{i:03}", f"name-{i:03}", {"rack": f"r{i % racks}", "hyper": f"h{i // 2}", **labels})
        for i in range(count)
    ]


def step(name: str, servers_per_job: int = 2, **more: Any) -> dict[str, Any]:
    """A step as a jobspec has it."""
    items = [{"type": "HDK_UPGRADE", "spec": {"version": "1"}}]
    return {"name": name, "type": "T", "job_name": f"{name}-job", "servers_per_job": servers_per_job} | {
        "items": items,
        **more,
    }


def group(name: str, select: str = "true", region: str = "region-0") -> dict[str, Any]:
    """A group as a jobspec has it; groups of different regions are in different lanes."""
    return {"name": name, "select": select, "lane": {"region": region}}


def rollout_plan(
    rollout: Spec,
    servers: Sequence[Server],
    *,
    steps: Sequence[Spec] = (step("upgrade"),),
    groups: Sequence[Spec] = (group("all"),),
    submit: Spec = SUBMIT,
    watch: Spec = {"rate": "100/s"},  # noqa: B006  it is not changed
) -> Plan:
    """The plan of a jobspec with this rollout."""
    jobspec = {
        "api_version": "runner/v1",
        "name": "rolling",
        "groups": list(groups),
        "steps": list(steps),
        "submit": dict(submit),
        "watch": dict(watch),
        "rollout": dict(rollout),
    }
    return expand(load_campaign(orjson.dumps(jobspec).decode(), "rolling.yaml"), servers, _OPTIONS)
