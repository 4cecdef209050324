"""Counts by a label, a wave, a group, a lane add up to those of the report, whatever is still at work."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from runner.errors import InvalidInput
from runner.model import Outcome
from runner.plan.plan import Plan
from runner.report.counts_by import COUNTED, ValueCounts, counts_by, label_names
from runner.report.csv_text import csv_lines
from runner.report.details import Details
from runner.report.fold import Folded, RunReport
from runner.report.server_rows import server_rows
from runner.run import events as e
from runner.run.evolve import replay
from runner.run.facts import initial_facts
from tests.engine.rollout_plans import fleet, group, rollout_plan, step
from tests.run.by_hand import ByHand

EVERY = ("labels.rack", "labels.hyper", "wave", "group", "lane")


def at_work() -> ByHand:
    """Two steps, two waves, two lanes: some failed, one is on its way, one at work, others were not reached."""
    groups = [group("one", 'labels.rack == "r0"'), group("two", "true", region="region-1")]
    rollout = {"waves": [{"name": "a", "sizes": [6, "rest"]}], "order": "listed", "budget": {"max_abnormal": "100%"}}
    steps = [step("drain", 1), step("upgrade", 1)]
    run = ByHand(rollout_plan(rollout, fleet(12, racks=3), groups=groups, steps=steps))
    run.pass_gates()
    first = [place for place, request in enumerate(run.plan.requests) if request.wave == 0 and request.step == 0]
    for place, letter in zip(first, "sftus", strict=False):
        run.do(place, letter)
    run.record(e.Intended(run.now, first[5]))
    second = next(place for place, request in enumerate(run.plan.requests) if request.step == 1)
    run.send(second)
    return run


@pytest.mark.parametrize("name", EVERY)
def test_they_add_up_to_the_report(name: str) -> None:
    run = at_work()
    report = report_of(run)
    found: Counter[str] = sum((row.counts for row in counts_by(run.facts, name)), Counter())
    counts = {**report.head["counts"], "at_work": report.head["at_work"], "not_reached": report.head["not_reached"]}
    counts["unknown"] -= counts["at_work"]
    counts["not_started"] -= counts["not_reached"]
    assert {one: found[one] for one in COUNTED} == {one: counts[one] for one in COUNTED}
    assert found.total() == counts["servers"] == 12
    assert counts["at_work"] == 1


def report_of(run: ByHand) -> RunReport:
    facts = initial_facts(run.plan)
    details = Details(facts)
    replay(facts, run.events)
    return RunReport(Folded(facts, details), "run-1")


def test_each_server_is_counted_with_its_own_value() -> None:
    run = at_work()
    by_rack = {row.value: row for row in counts_by(run.facts, "labels.rack")}
    assert {value: row.servers for value, row in by_rack.items()} == {"r0": 4, "r1": 4, "r2": 4}
    (failed,) = (row for row in server_rows(report_of(run)) if row.outcome == "failed")
    assert by_rack[failed.labels["rack"]].counts["failed"] == 1
    assert sum(row.bad for row in by_rack.values()) == len(list(server_rows(report_of(run)))) == 4


def test_the_worst_come_first_and_those_without_a_value_have_a_row() -> None:
    servers = [*fleet(4, racks=2), *(server._replace(id=f"x{n}", labels={}) for n, server in enumerate(fleet(2)))]
    run = ByHand(rollout_plan({"waves": [{"name": "w"}]}, servers, steps=[step("upgrade", 1)]))
    run.pass_gates()
    for place in range(len(run.plan.requests)):
        (server,) = run.plan.servers_of(place)
        run.do(place, "f" if server.labels.get("rack") == "r1" else "s")
    assert [(row.value, row.bad, row.servers) for row in counts_by(run.facts, "labels.rack")] == [
        ("r1", 2, 2),
        ("r0", 0, 2),
        (None, 0, 2),
    ]


def without_labels(plan: Plan) -> Plan:
    """As a version before read it."""
    groups = [replace(one, servers=[server._replace(labels={}) for server in one.servers]) for one in plan.groups]
    return replace(plan, groups=tuple(groups))


def test_a_plan_from_before_labels_were_kept_says_so() -> None:
    run = ByHand(without_labels(at_work().plan))
    assert label_names(run.plan) == []
    with pytest.raises(InvalidInput, match="the plan of this run has no labels of its servers") as refused:
        counts_by(run.facts, "labels.rack")
    assert refused.value.problems[0].hint == "expected wave, group or lane"
    assert [row.value for row in counts_by(run.facts, "group")] == ["one", "two"]


def test_as_json_nothing_is_left_out() -> None:
    row = ValueCounts("r1", Counter({"failed": 2, "at_work": 1})).as_json()
    assert (row["value"], row["servers"], row["failed"], row["at_work"], row["succeeded"]) == ("r1", 3, 2, 1, 0)
    assert set(row) == {"value", "servers", *COUNTED}


def test_cells_keep_numbers_and_commas_apart() -> None:
    assert list(csv_lines(["a", "b"], [[1, "x,y"], [None, 'say "hi"'], [-1, "one\ntwo"]])) == [
        "a,b",
        '1,"x,y"',
        ',"say ""hi"""',
        "-1,one two",
    ]


@pytest.mark.parametrize("sign", "=+-@\uff1d\uff0b\uff0d\uff20")
@pytest.mark.parametrize("before", ["", " ", "\t", "\r\n", "\u00a0", "\u3000"])
def test_no_sign_begins_a_formula_in_a_cell_whatever_blanks_come_before_it(sign: str, before: str) -> None:
    (_, cell) = csv_lines(["a"], [[f"{before}{sign}1+1"]])
    assert cell.startswith("'")
    assert cell.endswith(f"{sign}1+1")


def test_why_a_server_was_not_touched_is_told_where_it_is_known() -> None:
    run = ByHand(rollout_plan({"waves": [{"name": "w"}]}, fleet(4), steps=[step("upgrade", 1)]))
    run.pass_gates()
    run.do(0, "s")
    run.refuse(1)
    run.ask("exclude", "s002")
    rows = server_rows(report_of(run), frozenset(Outcome))
    assert [(row.id, row.outcome, row.why) for row in rows] == [
        ("s000", "succeeded", ""),
        ("s001", "not_started", "made up"),
        ("s002", "excluded", "excluded by someone"),
        ("s003", "not_started", "nothing was sent to it"),
    ]
