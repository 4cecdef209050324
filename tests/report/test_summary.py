"""What a person reads of a run: what is at work is not unknown, and a decision that is over is not the last word."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.app.comparing import compare
from runner.cli.news import Newsroom
from runner.cli.progress import _figures
from runner.model import Outcome
from runner.report.details import Details
from runner.report.fold import Folded, Report, make_report
from runner.report.models import ReportFile
from runner.report.text import summary_text
from runner.run import events as e
from runner.run.by_server import by_server
from runner.run.decisions import Send
from runner.run.evolve import evolve
from runner.run.facts import initial_facts
from runner.run.person_waits import person_waits
from tests.app.past import Past
from tests.conftest import small_plan
from tests.engine.rollout_plans import fleet, group, rollout_plan, step
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


def checked_and_followed() -> ByHand:
    """One server succeeded and one failed; that one's logs, and the check of the other, both timed out."""
    rollout = {
        "waves": [{"name": "w"}],
        "checks": [{"name": "looked", "step": "look"}],
        "on_failure": {"step": "logs"},
        "budget": {"max_abnormal": 2},
        "order": "listed",
    }
    steps = [step("upgrade", 1), step("look", 1), step("logs", 1)]
    run = ByHand(rollout_plan(rollout, fleet(2), steps=steps))
    run.pass_gates()
    run.do(0, "s")
    run.do(1, "f")
    for _ in range(2):
        run.pass_gates()
        sent = run.decide()
        assert isinstance(sent, Send)
        run.do(sent.request, "t")
    return run


def test_what_came_of_a_check_or_after_a_failure_is_no_outcome_of_a_server(tmp_path: Path) -> None:
    run = checked_and_followed()
    summary, counts = summary_of(run), report_of(run)["counts"]
    assert "servers    2: 1 succeeded, 1 FAILED\n" in summary
    assert "TIMED OUT" not in summary
    assert (counts["servers"], counts["succeeded"], counts["failed"], counts["timed_out"]) == (2, 1, 1, 0)
    assert run.facts.counts == {Outcome.SUCCEEDED: 1, Outcome.FAILED: 1}
    assert [(server.outcome, server.step) for server in by_server(run.facts).values()] == [
        ("succeeded", "upgrade"),
        ("failed", "upgrade"),
    ]
    past = Past(tmp_path)
    run_id = past.add(run.plan, run.events[1:])
    past.close()
    assert compare(tmp_path, run_id, run_id)["undone"] == [{"server_id": "s001", "outcome": "failed"}]


def test_what_is_on_its_way_and_what_is_at_work_are_two_things_while_a_run_goes_on() -> None:
    run = two_waves()
    run.send(0)
    figures = _figures(run.facts)
    assert (figures["at_work"], figures["on_their_way"], figures["in_doubt"]) == (1, 0, 0)
    assert "unknown" not in figures
    run = two_waves()
    run.record(e.Intended(run.now, 0))
    figures = _figures(run.facts)
    assert (figures["at_work"], figures["on_their_way"]) == (0, 1)


@pytest.mark.parametrize("before", ["soaking", "paused", "held", "a group held", "approval"])
def test_after_an_abort_nothing_is_waited_for_and_no_wave_is_at_work(before: str) -> None:
    waves = [{"name": "w", "sizes": [2, "rest"], "soak": "1h", "approve": True}]
    run = ByHand(rollout_plan({"waves": waves}, fleet(6)))
    run.pass_gates()
    run.do(0, "ss")
    run.now += 7200.0 * (before == "approval")
    run.pass_gates()
    if before == "held":
        run.record(e.Held(run.now, "budget", "no room"))
    elif before in {"paused", "a group held"}:
        run.ask("pause") if before == "paused" else run.ask("hold", "all")
    run.ask("abort")
    room, commanded = Newsroom("run-1", run.facts, run.look), run.events[-1]
    said = [line.partition(":")[0] for line in room.standing()]
    assert said == ["aborted, what is at work is watched to its end", "next"]
    assert person_waits(run.facts) == []
    assert (run.facts.controls.paused, run.facts.controls.held) == (False, None)
    assert not run.facts.controls.held_groups
    assert report_of(run)["waves"][0]["state"] == "aborted"
    item = room.item(commanded)
    assert item is not None
    assert "next" not in item.fields
    assert run.facts.aborted is not None
    run.record(e.RunEnded(run.now, "aborted", run.facts.aborted, 4))
    assert summary_of(run).count(run.facts.aborted) == 1
    assert "next       runner retry run-1 --only not_started   # 4 not started" in summary_of(run)


@pytest.mark.parametrize(
    "reason", ["x; rm -rf ~", "a && b", "$(b) `c`", "'\"", "a\nrunner abort run-1", "> f", "=ls !! *?{}[]#|\\"]
)
def test_a_line_to_type_does_nothing_but_that_in_any_shell(reason: str) -> None:
    """Some shells take no remarks when they are typed, and go on at a semicolon in one."""
    run = two_waves()
    run.record(e.Held(run.now, "check", reason))
    typed = summary_of(run).partition("next       ")[2].splitlines()
    assert [line.strip().partition("   # ")[0] for line in typed] == [
        "runner continue run-1",
        "runner continue run-1 --skip-check",
        "runner abort run-1",
    ]
    for line in typed:
        note = line.partition("   # ")[2]
        assert note.startswith("held: ")
        assert not set(note) & set(";&|<>()$`\"'\\!*?{}[]~#=^")


def test_why_a_run_was_aborted_is_said_once() -> None:
    run = two_waves()
    run.record(
        e.Aborted(run.now, "budget", "two of two failed"), e.RunEnded(run.now, "aborted", "two of two failed", 4)
    )
    assert summary_of(run).count("two of two failed") == 1
