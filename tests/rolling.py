"""Random fleets and rollouts, made into plans by the way that a run takes: jobspec text, loaded, expanded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from runner.errors import InvalidInput
from runner.model import Lane, Server
from runner.plan.expansion import PlanOptions, expand
from runner.plan.plan import Plan
from runner.spec.loading import load_campaign

OPTIONS = PlanOptions(
    env={},
    run_date="2026-01-01",
    created_at=1.0,
    runner_version="0",
    inventory_fingerprint="",
    lane=Lane("cn-north-9", None, "p"),
    allow_empty_waves=True,  # a fleet that is drawn may have no server for one
)


@dataclass(frozen=True)
class Case:
    """A jobspec and the servers it is for."""

    jobspec: Mapping[str, Any]
    servers: Sequence[Server]

    def plan(self, **changes: Any) -> Plan:
        # JSON is YAML.
        return expand(load_campaign(json.dumps(self.jobspec), "f.yaml"), self.servers, replace(OPTIONS, **changes))

    @property
    def rollout(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.jobspec["rollout"]
        return found


def try_plan(case: Case) -> Plan | InvalidInput:
    """The plan, or why there is none."""
    try:
        return case.plan()
    except InvalidInput as error:
        return error


def fleet(rows: Sequence[Mapping[str, str]]) -> list[Server]:
    """Servers with these labels; those with equal labels share one object, as the readers of inventories make them."""
    shared: dict[str, dict[str, str]] = {}
    return [
        Server(f"id-{place}", f"name-{place}", shared.setdefault(json.dumps(row, sort_keys=True), dict(row)))
        for place, row in enumerate(rows)
    ]


def _row(flavor: str, az: str, rack: int | None, hyper: int | None) -> dict[str, str]:
    row = {"flavor": flavor, "az": az}
    if rack is not None:
        row["rack"] = f"{az}-r{rack}"
    if hyper is not None:
        row["hyper"] = f"{flavor}-h{hyper}"  # within a group, however the groups are made
    return row


rows = st.builds(
    _row,
    st.sampled_from(["f1", "f2"]),
    st.sampled_from(["a", "b"]),
    st.one_of(st.none(), st.integers(0, 2)),
    st.one_of(st.none(), st.integers(0, 7)),
)
# A label that no server has is a mistake, so that the first one has all of them.
firsts = st.builds(
    _row, st.sampled_from(["f1", "f2"]), st.sampled_from(["a", "b"]), st.integers(0, 2), st.integers(0, 7)
)
fleets = st.builds(lambda first, more: fleet([first, *more]), firsts, st.lists(rows, max_size=39))
one_size = st.one_of(st.integers(1, 9), st.sampled_from(["5%", "25%", "50%"]))
sizes = st.one_of(
    st.none(),
    st.lists(one_size, max_size=4).map(lambda found: [*found, "rest"]),
    st.fixed_dictionaries(
        {"first": st.integers(1, 4), "factor": st.sampled_from([1.5, 2, 3])},
        optional={"most": st.sampled_from(["25%", 10])},
    ),
    st.just("adaptive"),
)
limits = st.one_of(st.integers(1, 6), st.sampled_from([9, "10%", "34%", "50%", "100%"]))
budgets = st.fixed_dictionaries(
    {
        "per": st.fixed_dictionaries(
            {}, optional={"labels.rack": limits, "labels.az": limits, "labels.hyper": st.just("whole")}
        )
    },
    optional={
        "max_abnormal": limits,
        "max_abnormal_per_wave": limits,
        "max_abnormal_per_group": limits,
        "max_unavailable": limits,
        "max_skipped": limits,
    },
)
everyone = [{"name": "g", "select": "true"}]
by_flavor = [{"name": "g", "select": "true", "split_by": "labels.flavor"}]
two_groups = [{"name": "one", "select": 'labels.flavor == "f1"'}, {"name": "two", "select": "true"}]


def step(name: str, servers_per_job: int) -> dict[str, Any]:
    return {
        "name": name,
        "type": "T",
        "job_name": "n-{{ group.name }}-{{ step.name }}",
        "servers_per_job": servers_per_job,
        "items": [{"type": "I"}],
    }


def jobspec(groups: Sequence[Any], per_job: Sequence[int], rollout: Mapping[str, Any] | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "api_version": "runner/v1",
        "name": "c",
        "groups": groups,
        "steps": [step(f"s{place}", each) for place, each in enumerate(per_job)],
    }
    return found if rollout is None else {**found, "rollout": rollout}


@st.composite
def cases(draw: st.DrawFn, budget: st.SearchStrategy[Any] = budgets, least_per_job: int = 1) -> Case:
    groups = draw(st.sampled_from([everyone, by_flavor, two_groups]))
    entry_sizes = draw(st.lists(sizes, min_size=1, max_size=2))
    waves = [
        {"name": f"w{place}", **({} if size is None else {"sizes": size})} for place, size in enumerate(entry_sizes)
    ]
    if len(waves) == 2:
        waves[0]["groups"] = [groups[0]["name"]]
    rollout: dict[str, Any] = {
        "waves": waves,
        "order": draw(st.sampled_from(["stratified", "listed", "shuffled"])),
        "seed": "x",
        "budget": draw(budget),
    }
    if "adaptive" in entry_sizes or draw(st.booleans()):
        rollout["abort"] = {"sequential": {}}
    if draw(st.booleans()):
        rollout["strata"] = ["labels.az", "labels.flavor"]
    per_job = draw(st.lists(st.integers(least_per_job, 12), min_size=1, max_size=2))
    return Case(jobspec(groups, per_job, rollout), draw(fleets))


def feasible(**options: Any) -> st.SearchStrategy[tuple[Case, Plan]]:
    """Cases that can be carried out, with their plans."""

    def planned(case: Case) -> tuple[Case, Plan | InvalidInput]:
        return case, try_plan(case)

    def is_plan(pair: tuple[Case, Plan | InvalidInput]) -> bool:
        return isinstance(pair[1], Plan)

    found: Any = cases(**options).map(planned).filter(is_plan)
    typed: st.SearchStrategy[tuple[Case, Plan]] = found
    return typed
