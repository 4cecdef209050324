"""The hash of a plan is over what it does: not over when, where, or by which version it was made."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import InvalidInput, RefusedToStart
from runner.model import Server
from runner.plan.codec import hash_plan, plan_from_json, plan_to_json
from runner.plan.digests import LaneServer
from runner.plan.expansion import expand
from runner.plan.hashing import hash_document
from runner.plan.plan import Plan
from runner.plan.retry import Parent, retry_plan
from runner.spec.loading import load_campaign
from tests.rolling import OPTIONS

# Made when the hash was over everything else in a plan; the oldest when there were no retries.
MADE_BEFORE = [
    Path(__file__).parents[1] / "goldens" / "plans" / f"{name}.json" for name in ("oldest", "plain", "rollout")
]
FLEET = [Server(f"id-{i}", f"name-{i}", {"rack": f"r{i % 2}"}) for i in range(4)]
JOBSPEC = """\
api_version: runner/v1
name: c
description: of {{ run.date }}
vars: {a: x, b: y}
groups:
  - {name: none, select: labels.rack == "none"}
  - {name: g, select: "true"}
steps:
  - {name: s, type: T, job_name: "n-{{ a }}", servers_per_job: 1, items: [{type: I, spec: {v: "{{ b }}"}}]}
  - {name: logs, type: T, job_name: l, items: [{type: I}]}
rollout:
  waves: [{name: w, groups: [g], sizes: [1, rest], soak: 5m, approve: true}]
  budget: {max_abnormal: 2, max_skipped: 50%, per: {labels.rack: 1}}
  abort: {sequential: {}, after_unknown: 2}
  window: {allow: ["Sat 01:00-06:00"], deny: [2026-12-24]}
  deadline: 2d
  checks: [{name: a, command: ["true", "{{ wave.name }}"], env: [TOKEN]}, {name: b, http: "http://h/"}]
  on_failure: {step: logs}
"""
# When, where and by whom it was made: to be read, and not what it does.
OUTSIDE = {("created_at",), ("runner_version",), ("summary", "warnings", 0)}


def plan_of(text: str = JOBSPEC, file: str = "f.yaml", **changes: Any) -> Plan:
    return expand(load_campaign(text, file), FLEET, replace(OPTIONS, **changes))


def document_of(plan: Plan) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(plan_to_json(plan, readable=True))
    return document


@given(st.floats(0, 4e9), st.text(max_size=20))
def test_a_plan_made_at_another_time_by_another_version_has_the_same_hash(created_at: float, version: str) -> None:
    plan = plan_of(created_at=created_at, runner_version=version)
    assert plan.plan_hash == plan_of().plan_hash
    again = plan_from_json(plan_to_json(plan), "p.json")
    assert (again.created_at, again.runner_version) == (created_at, version)
    assert again.plan_hash == plan.plan_hash == hash_plan(again)


def test_the_day_counts_where_a_template_uses_it() -> None:
    assert plan_of(run_date="2026-01-02").plan_hash != plan_of().plan_hash
    without = JOBSPEC.replace("{{ run.date }}", "today")
    assert plan_of(without, run_date="2026-01-02").plan_hash == plan_of(without).plan_hash


def test_where_the_jobspec_lies_does_not_count() -> None:
    here, there = plan_of(), plan_of(file="/somewhere/else.yaml")
    assert here.summary.warnings != there.summary.warnings
    assert here.plan_hash == there.plan_hash


def test_in_which_order_variables_were_given_does_not_count() -> None:
    one, other = plan_of(variables={"a": "1", "b": "2"}), plan_of(variables={"b": "2", "a": "1"})
    assert list(one.variables) != list(other.variables)
    assert one.plan_hash == other.plan_hash != plan_of(variables={"a": "1", "b": "3"}).plan_hash


def test_a_retry_planned_twice_has_the_same_hash() -> None:
    again = [(LaneServer(plan_of().lanes[0].label, server_id), 0) for server_id in ("id-2", "id-0")]
    parent = Parent("run-1", plan_of(), dict(again))
    other_order = parent._replace(again=dict(reversed(again)))
    one, other = retry_plan([parent], 1.0, "0"), retry_plan([other_order], 2.0, "1")
    assert (one.created_at, other.created_at) == (1.0, 2.0)
    assert one.plan_hash == other.plan_hash != retry_plan([parent._replace(run_id="run-2")], 1.0, "0").plan_hash


@pytest.mark.parametrize("rollout", [True, False])
def test_a_plan_keeps_all_labels_of_its_servers_and_they_count(rollout: bool) -> None:
    text = JOBSPEC if rollout else JOBSPEC.partition("rollout:")[0]
    plan = plan_of(text)
    for readable in (True, False):
        again = plan_from_json(plan_to_json(plan, readable=readable), "p.json")
        assert [list(group.servers) for group in again.groups] == [FLEET]
        assert again.plan_hash == plan.plan_hash
    document = document_of(plan)
    document["labels"]["different"][0]["rack"] = "r9"
    with pytest.raises(RefusedToStart, match="was changed after it was made"):
        plan_from_json(orjson.dumps(document), "p.json")


def test_a_plan_from_before_labels_were_kept_is_the_same_plan() -> None:
    """So is one of servers that have none: it has the hash that versions before gave it."""
    old = plan_from_json(MADE_BEFORE[1].read_bytes(), "p.json")
    assert old.rollout is None
    assert not any(server.labels for group in old.groups for server in group.servers)
    assert b'"labels"' not in plan_to_json(old)
    assert hash_plan(old) == plan_from_json(plan_to_json(replace(old, plan_hash=hash_plan(old))), "p.json").plan_hash


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [leaf for key, part in parts for leaf in leaves(part, (*path, key))]
    yield from found or [path]


def changed(document: dict[str, Any], path: tuple[str | int, ...]) -> bytes:
    """The document with another value of the same kind at a path."""
    copied: Any = orjson.loads(orjson.dumps(document))
    part = copied
    for key in path[:-1]:
        part = part[key]
    old = part[path[-1]]
    part[path[-1]] = not old if isinstance(old, bool) else old + 1 if isinstance(old, int | float) else f"{old}x"
    return orjson.dumps(copied)


def test_whatever_else_of_a_plan_is_changed_shows() -> None:
    document = document_of(plan_of())
    paths = set(leaves(document))
    assert len(paths) > 100
    assert paths >= OUTSIDE
    for path in sorted(paths - OUTSIDE, key=str):
        with pytest.raises((RefusedToStart, InvalidInput)):
            plan_from_json(changed(document, path), "p.json")
    for path in OUTSIDE:
        assert plan_from_json(changed(document, path), "p.json").plan_hash == document["plan_hash"]


def test_the_program_of_a_check_counts_and_not_where_it_is() -> None:
    document = document_of(plan_of())
    check = document["rollout"]["waves"][1]["checks"][0]
    check |= {"folder": "/here", "fingerprint": "sha256:1"}
    document["plan_hash"] = hash_document(document)
    plan = plan_from_json(orjson.dumps(document), "p.json")
    assert document_of(plan) == document
    check["folder"] = "/there"
    assert plan_from_json(orjson.dumps(document), "p.json").plan_hash == plan.plan_hash
    check["fingerprint"] = "sha256:2"
    with pytest.raises(RefusedToStart):
        plan_from_json(orjson.dumps(document), "p.json")


@pytest.mark.parametrize("key", [key for key in document_of(plan_of()) if key != "parents"])
def test_a_part_that_was_taken_out_shows(key: str) -> None:
    document = document_of(plan_of())
    del document[key]
    with pytest.raises((RefusedToStart, InvalidInput)):
        plan_from_json(orjson.dumps(document), "p.json")


@pytest.mark.parametrize(
    ("key", "value"),
    [("created_at", "now"), ("created_at", None), ("created_at", True), ("runner_version", 1)],
)
def test_what_is_outside_the_hash_is_of_its_kind_all_the_same(key: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=f"not a plan of runner/plan/v1: {key}"):
        plan_from_json(orjson.dumps({**document_of(plan_of()), key: value}), "p.json")


@pytest.mark.parametrize("warnings", [None, "x", [1]])
def test_warnings_are_texts(warnings: object) -> None:
    document = document_of(plan_of())
    document["summary"]["warnings"] = warnings
    with pytest.raises(InvalidInput, match=r"not a plan of runner/plan/v1: summary\.warnings"):
        plan_from_json(orjson.dumps(document), "p.json")


def hashed_as_before(document: dict[str, Any]) -> str:
    """What plans claimed that were made when the hash was over everything else in them."""
    rest = {key: value for key, value in document.items() if key != "plan_hash"}
    return "sha256:" + hashlib.sha256(orjson.dumps(rest, option=orjson.OPT_SORT_KEYS)).hexdigest()


@pytest.mark.parametrize("file", MADE_BEFORE, ids=lambda file: file.stem)
def test_a_plan_made_before_keeps_its_hash(file: Path) -> None:
    document = orjson.loads(file.read_bytes())
    assert document["plan_hash"] == hashed_as_before(document)
    plan = plan_from_json(file.read_bytes(), "p.json")
    assert plan.plan_hash == document["plan_hash"]
    assert plan.plan_hash != hash_plan(plan)
    for readable in (True, False):  # as it is kept for a run, and read again
        assert plan_from_json(plan_to_json(plan, readable=readable), "p.json").plan_hash == document["plan_hash"]


@pytest.mark.parametrize("file", MADE_BEFORE, ids=lambda file: file.stem)
def test_any_change_of_a_plan_made_before_shows(file: Path) -> None:
    document = orjson.loads(file.read_bytes())
    for path in leaves(document):
        with pytest.raises((RefusedToStart, InvalidInput)):
            plan_from_json(changed(document, path), "p.json")


@pytest.mark.parametrize("file", MADE_BEFORE, ids=lambda file: file.stem)
def test_a_plan_made_before_there_were_retries_is_read_and_kept_and_read_again(file: Path) -> None:
    document = orjson.loads(file.read_bytes())
    document.pop("parents", None)
    document["plan_hash"] = hashed_as_before(document)
    plan = plan_from_json(orjson.dumps(document), "p.json")
    assert plan.plan_hash == document["plan_hash"]
    assert plan_from_json(plan_to_json(plan), "stored").plan_hash == document["plan_hash"]


@pytest.mark.parametrize("count", [499, 500, 501, 1001])
def test_a_plan_whose_hash_was_made_in_pieces_is_read_as_the_one_that_was_made(count: int) -> None:
    fleet = [Server(f"id-{i}", f"n-{i}", {"rack": f"r{i % 2}", "serial": str(i)}) for i in range(count)]
    plan = expand(
        load_campaign(JOBSPEC.replace("per: {labels.rack: 1}", "per: {labels.rack: 99%}"), "f.yaml"), fleet, OPTIONS
    )
    assert len(plan.requests) >= count
    document = document_of(plan)
    claimed = document.pop("plan_hash")
    hashed = {key: document[key] for key in document if key not in {"created_at", "runner_version"}}
    del hashed["summary"]["warnings"]
    canonical = orjson.dumps(hashed, option=orjson.OPT_SORT_KEYS)
    assert claimed == f"sha256:{hashlib.sha256(canonical).hexdigest()}"
    for readable in (True, False):
        again = plan_from_json(plan_to_json(plan, readable=readable), "plan.json")
        assert plan_to_json(again, readable=readable) == plan_to_json(plan, readable=readable)
