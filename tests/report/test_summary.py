"""What a person reads of a run: what is at work is not unknown, and a decision that is over is not the last word."""

from __future__ import annotations

from runner.model import Outcome
from runner.report.details import Details
from runner.report.fold import Folded, Report, make_report
from runner.report.models import ReportFile
from runner.report.text import summary_text
from runner.run import events as e
from runner.run.evolve import evolve
from runner.run.facts import initial_facts
from tests.conftest import small_plan
from tests.engine.rollout_plans import fleet, group, rollout_plan
from tests.run.by_hand import ByHand


def report_of(run: ByHand) -> Report:
    facts = initial_facts(run.plan)
    details = Details(facts)
    for event in run.events:
        evolve(facts, event)
        details.take(event)
    return make_report(Folded(facts, details), "run-1")


def summary_of(run: ByHand) -> str:
    return summary_text(report_of(run), run.facts)


def two_waves() -> ByHand:
    groups = [group("one", 'labels.rack == "r0"'), group("two", "true")]
    run = ByHand(rollout_plan({"waves": [{"name": "w", "sizes": [2, "rest"]}]}, fleet(6, racks=2), groups=groups))
    run.pass_gates()
    return run


def test_servers_at_work_are_at_work_in_every_line() -> None:
    run = two_waves()
    run.send(0)
    assert "UNKNOWN" not in summary_of(run)
    lines = [line for line in summary_of(run).splitlines() if "2 at work" in line]
    assert len(lines) == 2
    report = report_of(run)
    ReportFile.model_validate(report)
    assert [wave["at_work"] for wave in report["waves"]] == [2, 0]
    assert sum(wave["at_work"] for wave in report["waves"]) == report["at_work"]
    assert [wave["counts"][Outcome.UNKNOWN] for wave in report["waves"]] == [2, 0]


def test_a_request_on_its_way_gives_no_reason_for_its_servers() -> None:
    run = ByHand(small_plan((2,), (2,)))
    run.record(e.Intended(run.now, 0))
    assert "the service gives no reason" not in summary_of(run)
    assert "2 UNKNOWN: no answer yet (name-0-0, name-0-1)" in summary_of(run)


def test_the_hold_that_is_shown_is_one_that_stands() -> None:
    run = two_waves()
    run.ask("hold", "one")
    run.ask("hold", "two")
    run.ask("release", "two")
    assert "hold one (by someone)" in summary_of(run)
    run.record(e.Held(run.now, "budget", "no room"))
    assert "hold no room" in summary_of(run)
    run.ask("continue")
    assert "hold one (by someone)" in summary_of(run)
    run.ask("release", "one")
    assert "decided" not in summary_of(run)
