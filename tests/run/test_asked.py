"""What is refused of what people ask, and what is taken as it was meant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.model import Server
from runner.run import events as e
from runner.run.decisions import LeaveOut, SplitUp
from tests.conftest import small_plan
from tests.engine.rollout_plans import fleet, rollout_plan, step
from tests.run.by_hand import ByHand


def rolling(**rollout: object) -> ByHand:
    rules = {"waves": [{"name": "w", "approve": True}], "order": "listed", **rollout}
    run = ByHand(rollout_plan(rules, fleet(4), steps=[step("upgrade", 4)]))
    run.pass_gates()
    return run


@pytest.mark.parametrize(
    ("asked", "fits"), [("0", False), ("1", True), ("1024", True), ("1025", False), ("-1", False), ("x", False)]
)
def test_so_many_requests_may_be_on_their_way_at_once(asked: str, fits: bool) -> None:
    run = rolling()
    assert (run.ask("set", concurrency=asked) is None) is fits
    assert run.facts.controls.concurrency == (int(asked) if fits else None)


def test_a_wave_is_approved_for_the_plan_that_was_seen() -> None:
    run = rolling()
    run.do(0, "ssss")
    run.pass_gates()
    assert "is of plan" in (run.ask("approve", "w", plan_hash="sha256:another") or "")
    assert run.ask("approve", "w", plan_hash=run.plan.plan_hash) is None


def test_a_deadline_given_as_a_span_counts_by_the_time_of_the_run_and_a_moment_by_the_clock_on_the_wall() -> None:
    run = rolling()
    assert run.facts.rollout is not None
    for deadline, by_wall in (("2h", False), ("2026-12-01T06:00Z", True)):
        assert run.ask("set", deadline=deadline, deadline_at="5000.0") is None
        assert run.facts.rollout.deadline == (5000.0, by_wall)


def test_a_text_that_means_several_servers_is_refused() -> None:
    plan = small_plan((2,), (1,))
    group = replace(plan.groups[0], servers=(Server("a", "b", {}), Server("b", "c", {})))
    run = ByHand(replace(plan, groups=(group,)))
    assert "several servers: a, b" in (run.ask("exclude", "b") or "")
    assert run.ask("exclude", "c") is None


def test_servers_that_were_excluded_together_are_taken_in_together() -> None:
    run = rolling(budget={"per": {"labels.hyper": "whole"}})
    assert run.ask("exclude", "s000") is None
    assert run.ask("include", "s000") == "s000, s001 were excluded together: name all"
    assert run.ask("include", 'labels.hyper == "h0"') is None


def test_what_another_run_has_taken_is_not_taken_in_again() -> None:
    run = rolling()
    assert run.ask("exclude", "s000") is None
    run.record(e.LeftOut(run.now, 0, ("s000",), "another"))
    assert run.ask("include", "s000") == "s000 belongs to run another now"


@pytest.mark.parametrize(
    ("left_out", "decided"),
    [
        (("s000",), SplitUp(0, 2)),
        (("s000", "s001", "s002", "s003"), LeaveOut(0, "run another has taken or done them")),
    ],
)
def test_servers_that_another_run_has_are_parted_from_the_others(
    left_out: tuple[str, ...], decided: SplitUp | LeaveOut
) -> None:
    run = rolling()
    run.record(e.LeftOut(run.now, 0, left_out, "another"))
    assert run.decide() == decided


def test_how_long_a_job_is_expected_to_last_is_as_long_as_the_longest_where_there_is_no_window() -> None:
    run = ByHand(rollout_plan({"waves": [{"name": "w"}], "order": "listed"}, fleet(4), steps=[step("upgrade", 1)]))
    run.pass_gates()
    assert run.facts.rollout is not None
    for request, took in enumerate((10.0, 20.0, 100.0)):
        run.send(request)
        run.record(e.Settled(run.now, request, "s", took))
    assert run.facts.rollout.expected_s(0) == pytest.approx(100.0, rel=0.1)
