"""What people ask of a run: what it changes, and what it must not."""

from __future__ import annotations

import pytest

from runner.errors import ExitCode
from runner.model import Outcome, RunState
from runner.run import events as e
from runner.run.commands import Command, dated, refusal
from runner.run.excluding import exclusion_scope, is_to_do
from runner.run.facts import StopRule, initial_facts
from runner.run.gate import MakeCheck, Record, after_check
from runner.run.phases import Phase
from runner.run.verdict import verdict
from tests.conftest import small_plan
from tests.engine.rollout_plans import fleet, rollout_plan, step
from tests.run.by_hand import ByHand

STEP_THEN_COMMAND = [{"name": "looked", "step": "look"}, {"name": "well", "command": ["true"]}]


def held_on_a_step_that_failed() -> ByHand:
    rollout = {"waves": [{"name": "w"}], "checks": STEP_THEN_COMMAND, "order": "listed"}
    run = ByHand(rollout_plan(rollout, fleet(2), steps=[step("upgrade"), step("look")]))
    run.pass_gates()
    run.do(0, "ss")
    run.pass_gates()
    run.do(1, "sf")
    while run.facts.controls.held is None:
        asked = run.gate()
        assert isinstance(asked, Record)
        run.record(asked.event)
        if isinstance(asked.event, e.Checked) and (follows := after_check(run.facts, asked.event)) is not None:
            run.record(follows)
    return run


@pytest.mark.parametrize("settings", [{}, {"skip_check": "yes"}])
def test_after_a_step_that_failed_as_a_check_the_next_check_is_made_whether_that_one_is_skipped_or_not(
    settings: dict[str, str],
) -> None:
    run = held_on_a_step_that_failed()
    assert run.ask("continue", **settings) is None
    assert run.gate() == MakeCheck(0, 1)


def test_no_check_is_skipped_where_none_has_failed() -> None:
    run = ByHand(rollout_plan({"waves": [{"name": "w"}], "checks": STEP_THEN_COMMAND[1:]}, fleet(2)))
    run.ask("pause")
    assert "there is none to skip" in (run.ask("continue", skip_check="yes") or "")
    run.record(e.Held(run.now, StopRule.BUDGET, "no room"))
    assert "there is none to skip" in (run.ask("continue", skip_check="yes") or "")
    assert run.facts.is_waiting_for_person
    assert run.ask("continue") is None


def test_servers_are_not_taken_in_again_where_nothing_would_send_their_request() -> None:
    run = ByHand(small_plan((1, 4), (1,), lanes=2))
    assert run.ask("exclude", "g0-s0") is None
    run.send(1)
    refused = run.ask("include", "g0-s0")
    assert refused is not None
    assert "retry" in refused
    assert run.facts.phases[0] is Phase.EXCLUDED
    assert run.ask("exclude", "g1-s3") is None
    assert run.ask("include", "g1-s3") is None
    assert run.facts.phases[4] is Phase.READY


def test_servers_that_may_be_taken_in_again_are_among_those_that_a_resumed_run_holds() -> None:
    run = ByHand(rollout_plan({"waves": [{"name": "w", "sizes": [2, "rest"]}], "order": "listed"}, fleet(4)))
    run.pass_gates()
    assert run.ask("exclude", "true") is None
    assert not is_to_do(run.facts, 0)  # the wave has nothing else, so it is over
    assert is_to_do(run.facts, 1)
    assert "retry" in (run.ask("include", "s000") or "")
    assert run.ask("include", 'labels.hyper == "h1"') is None


def test_who_was_excluded_is_held_by_a_run_that_goes_on_after_a_stop() -> None:
    run = ByHand(small_plan((2,), (1,)))
    run.send(0)
    assert run.ask("exclude", "g0-s1") is None
    run.record(e.StopRequested(run.now, "SIGINT"), e.IntakeEnded(run.now, "SIGINT"))
    assert is_to_do(run.facts, 1)
    run.record(e.RunResumed(run.now, "0"))
    assert run.ask("include", "g0-s1") is None


def test_servers_left_out_for_a_while_do_not_make_a_run_that_only_submits_fail() -> None:
    run = ByHand(small_plan((2,), (1,)), watched=False)
    run.ask("exclude", "g0-s1")
    run.ask("include", "g0-s1")
    run.send(0, 1)
    assert verdict(run.facts) == (RunState.SUBMITTED, "jobs are not watched", ExitCode.OK)


@pytest.mark.parametrize("given", ["5", "never", "nan"])
def test_a_moment_is_what_the_runner_makes_of_a_deadline_and_nothing_that_a_person_gives(given: str) -> None:
    facts = initial_facts(rollout_plan({"waves": [{"name": "w"}]}, fleet(2)))
    for settings in ({"deadline_at": given}, {"deadline_at": given, "rate": "5/s"}):
        assert "deadline_at" in (refusal(facts, dated(Command("set", settings=settings), 1000.0, lambda: None)) or "")
    both = dated(Command("set", settings={"deadline": "soon", "deadline_at": given}), 1000.0, lambda: None)
    assert "soon" in (refusal(facts, both) or "")


def test_servers_that_go_out_with_those_that_were_named_are_told_of() -> None:
    rollout = {"waves": [{"name": "w"}], "order": "listed", "budget": {"per": {"labels.hyper": "whole"}}}
    run = ByHand(rollout_plan(rollout, fleet(8), steps=[step("one", 4)]))
    scope = exclusion_scope(run.facts, {"s000", "s004", "s005"})
    assert (scope.excluded_now, scope.together) == (3, 1)
    for server in ("s000", "s004", "s005"):
        assert run.ask("exclude", server) is None or server == "s005"
    assert run.facts.counts[Outcome.EXCLUDED] == 4


def test_what_is_excluded_in_a_later_step_counts_as_excluded() -> None:
    rollout = {"waves": [{"name": "w"}], "checks": [{"name": "looked", "step": "look"}], "order": "listed"}
    run = ByHand(rollout_plan(rollout, fleet(2), steps=[step("one"), step("two"), step("look")]))
    run.pass_gates()
    run.do(0, "ss")
    assert run.ask("exclude", "s000") is None
    scope = exclusion_scope(run.facts, {"s000"})
    assert (scope.excluded_before, scope.over) == (1, 0)
    assert "excluded already" in (run.ask("exclude", "s000") or "")
    assert "steps of the campaign" in (run.ask("include", "s000") or "")
