"""Why servers failed, in the report and in its summary: what they have in common, and where it is more than chance."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.cli.news import Newsroom
from runner.model import Task
from runner.plan.codec import hash_plan, plan_from_json, plan_to_json
from runner.report.fold import fold, make_report
from runner.report.models import ReportFile
from runner.report.text import summary_text
from runner.run import events as e
from runner.run.decisions import Send
from tests.conftest import small_plan
from tests.driving import job_of
from tests.engine.rollout_plans import fleet, rollout_plan, step
from tests.report.test_summary import report_of
from tests.run.by_hand import ByHand

HOSTILE = "no route to 10.0.{0}.7 from {1} \x1b]52;c;aGk=\x07 <b>\u202e= {0}"


def tried(run: ByHand, request: int, *, fails: bool, message: str) -> None:
    """A request for one server, whose task says so."""
    (server,) = run.facts.servers_of(request)
    status = "FAILED" if fails else "SUCCESS"
    task = Task("t", server.id, server.name, status, message if fails else None, None, None, None)
    run.send(request)
    run.record(e.JobRead(run.now, request, replace(job_of(request), status="FINISHED", tasks=(task,))))
    run.settle(request, "f" if fails else "s")


def tried_in_racks(bad_rack: str, **rollout: object) -> ByHand:
    """Two hundred servers in twenty racks."""
    rules = {"waves": [{"name": "w"}], "order": "listed", **rollout}
    run = ByHand(rollout_plan(rules, fleet(200, racks=20), steps=[step("upgrade", 1)]))
    run.pass_gates()
    while isinstance(decided := run.decide(), Send):
        (server,) = run.facts.servers_of(decided.request)
        message = HOSTILE.format(decided.request, server.id)
        tried(run, decided.request, fails=server.labels["rack"] == bad_rack, message=message)
        run.pass_gates()
    return run


def test_the_rack_that_fails_is_named_in_the_report_and_in_the_summary() -> None:
    run = tried_in_racks("r7")
    report = report_of(run)
    ReportFile.model_validate(report)
    causes = report["causes"]
    assert (causes["tried"], "labels.rack" in causes["asked_about"]) == (200, True)
    (trouble,) = causes["troubles"]
    assert (trouble["outcome"], trouble["servers"], len(trouble["examples"])) == ("failed", 10, 3)
    (found,) = trouble["explained_by"]
    assert (found["label"], found["value"], found["bad"], found["servers"]) == ("labels.rack", "r7", 10, 10)
    assert (found["others_bad"], found["others"], found["difference"]) == (0, 190, 1.0)
    assert 0.5 < found["difference_low"] < found["difference"] <= found["difference_high"]
    assert found["false_discovery_rate"] < 1e-6
    summary = summary_text(report, run.facts)
    assert "  10 FAILED: no route to <address> from <server>" in summary
    assert "\n    where labels.rack=r7: 10 of 10, of the others 0 %, 72 to 100 points more" in summary
    assert "\x1b" not in summary
    assert "\u202e" not in summary


def test_what_varies_from_server_to_server_is_not_in_a_signature() -> None:
    (trouble,) = report_of(tried_in_racks("r7"))["causes"]["troubles"]
    assert trouble["signature"] == "no route to <address> from <server> \\x1b]<n>;c;aGk=\\x07 <b>\\u202e= <n>"


@pytest.mark.parametrize("has_rollout", [True, False])
def test_a_report_made_again_from_the_stored_plan_asks_about_the_same_labels(has_rollout: bool) -> None:
    servers = fleet(40, racks=2)
    plan = rollout_plan({"waves": [{"name": "w"}]}, servers, steps=[step("upgrade", 1)])
    if not has_rollout:
        bare = small_plan((40,), (1,))
        plan = replace(bare, groups=(replace(bare.groups[0], servers=servers),))
        plan = replace(plan, plan_hash=hash_plan(plan))
    run = ByHand(plan)
    run.pass_gates()
    for request in range(40):
        (server,) = run.facts.servers_of(request)
        run.do(request, "f" if server.labels["rack"] == "r1" else "s")
    stored = plan_from_json(plan_to_json(plan), "plan")
    again = make_report(fold(stored, run.events), "run-1")
    assert again["causes"] == report_of(run)["causes"]
    assert "labels.rack" in again["causes"]["asked_about"]


def test_a_wave_that_fails_is_named() -> None:
    run = ByHand(
        rollout_plan(
            {"waves": [{"name": "w", "sizes": [100, "rest"]}], "order": "listed"},
            fleet(200, racks=20),
            steps=[step("upgrade", 1)],
        )
    )
    run.pass_gates()
    while isinstance(decided := run.decide(), Send):
        request = decided.request
        tried(run, request, fails=run.facts.requests[request].wave == 1 and request % 3 == 0, message="disk is full")
        run.pass_gates()
    (trouble,) = report_of(run)["causes"]["troubles"]
    assert [(found["label"], found["value"]) for found in trouble["explained_by"]] == [("wave", "w-2")]


def test_troubles_are_counted_while_a_run_goes_on() -> None:
    run = tried_in_racks("r7")
    room = Newsroom("R", run.facts, run.look)
    for event in run.events:
        room.item(event)
    assert room.standing()[-1].startswith("10 failed: no route to <address> from <server> ")


def test_many_kinds_of_trouble_are_told_apart_up_to_a_number() -> None:
    run = ByHand(small_plan((300,), (1,)))
    room = Newsroom("R", run.facts, run.look)
    words = ("".join(chr(97 + (place // 26**digit) % 26) for digit in range(3)) for place in range(300))
    for request, word in enumerate(words):
        tried(run, request, fails=True, message=f"the {word} broke")
    for event in run.events:
        room.item(event)
    assert "100 failed: other reasons" in room.standing()


def test_nothing_is_said_where_nothing_is_more_than_chance() -> None:
    run = tried_in_racks("none")
    assert report_of(run)["causes"] == {"tried": 200, "asked_about": [], "troubles": []}
    assert "where" not in summary_text(report_of(run), run.facts)


@pytest.mark.parametrize("how", ["at work", "on its way", "in doubt", "never sent"])
def test_who_is_not_over_is_no_trouble(how: str) -> None:
    run = ByHand(small_plan((4,), (2,)))
    if how == "at work":
        run.send(0)
    elif how != "never sent":
        run.record(e.Intended(run.now, 0))
    assert report_of(run)["causes"]["tried"] == 0
