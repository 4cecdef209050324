"""The gate never waits for nobody, and does not decide before what was asked of a run is taken in."""

from __future__ import annotations

from typing import Any

import pytest

from runner.run import events as e
from runner.run.decisions import Send
from runner.run.facts import StopRule, initial_facts
from runner.run.gate import DEADLINE_PASSED, Patience, Record, Sleep
from runner.run.live import LiveRun
from runner.run.verdict import verdict
from tests.engine.rollout_plans import fleet, group, rollout_plan, step
from tests.run.by_hand import BROKEN, ByHand

TWO_LANES = [group("one", 'labels.rack == "r0"', "region-0"), group("two", "true", "region-1")]


def two_lanes(**rollout: Any) -> ByHand:
    """Requests of one server each: 0 and 1 on the first lane, 2 and 3 on the second."""
    plan = rollout_plan(
        {"waves": [{"name": "w"}], "order": "listed", **rollout},
        fleet(4, racks=2),
        steps=[step("upgrade", 1)],
        groups=TWO_LANES,
    )
    run = ByHand(plan)
    run.pass_gates()
    return run


@pytest.mark.parametrize(
    "rules",
    [
        {"budget": {"max_unavailable": 1}},
        {"budget": {"per": {"labels.hyper": 1}}},
        {"waves": [{"name": "w", "sizes": "adaptive"}], "abort": {"sequential": {}}},
    ],
    ids=["limit for all", "limit of a domain", "adaptive"],
)
@pytest.mark.parametrize("how", ["in doubt", "not watched"])
def test_what_is_lost_on_a_lane_that_stopped_is_waited_for_by_nobody(rules: dict[str, Any], how: str) -> None:
    run = two_lanes(**rules)
    if how == "in doubt":
        run.record(e.Intended(run.now, 0), e.InDoubt(run.now, 0, BROKEN))
    else:
        run.send(0)
    run.stop_lane(0, watched=False)
    while isinstance(decided := run.decide(1), Send):
        run.do(decided.request, "s")
    asked = run.gate()
    assert isinstance(asked, Record)
    assert isinstance(asked.event, e.IntakeEnded)
    assert "cannot be used" in asked.event.reason


def test_a_deadline_that_a_person_may_have_moved_waits_until_that_is_taken_in() -> None:
    run = two_lanes(deadline="1h")
    run.now += 7200.0
    run.record(e.RunEnded(run.now, "stopped", "x", 5), e.RunResumed(run.now, "0"))
    assert isinstance(run.gate(), Sleep)
    run.record(e.Surveyed(run.now, 0), e.Surveyed(run.now, 1))
    assert run.gate() == Record(e.IntakeEnded(run.now, DEADLINE_PASSED))
    run.ask("set", deadline="1h", deadline_at=str(run.now + 3600.0))
    assert isinstance(run.gate(), Sleep)


def test_a_run_whose_beginning_was_lost_keeps_the_deadline_of_its_plan() -> None:
    plan = rollout_plan({"waves": [{"name": "w"}], "deadline": "1h"}, fleet(4))
    torn = LiveRun(initial_facts(plan))
    for event in (e.RunResumed(1000.0, "0"), e.Surveyed(1000.0, 0)):
        torn.apply(event)
    assert torn.next_step(4599.0, Patience()) == Record(e.WaveStarted(4599.0, 0))
    assert torn.next_step(4600.0, Patience()) == Record(e.IntakeEnded(4600.0, DEADLINE_PASSED))


def wave_of_two(*steps: str, **rollout: Any) -> ByHand:
    """Two waves of two servers, each in a request of its own."""
    waves = {"waves": [{"name": "w", "sizes": [2, "rest"]}], "order": "listed", **rollout}
    run = ByHand(rollout_plan(waves, fleet(4), steps=[step(name, 1) for name in steps or ("upgrade",)]))
    run.pass_gates()
    return run


def nothing(run: ByHand, outcome: str) -> None:
    """No server of the first wave comes out well."""
    for request in range(2):
        if outcome == "refused":
            run.refuse(request)
        elif outcome == "given up":
            run.record(e.Intended(run.now, request), e.InDoubt(run.now, request, BROKEN))
            run.record(e.GivenUp(run.now, request, "x"))
        elif outcome == "excluded but one":
            if request:
                run.ask("exclude", "s001")
            else:
                run.do(0, "k")
        else:
            run.do(request, outcome)


@pytest.mark.parametrize("outcome", ["f", "k", "t", "u", "refused", "given up", "excluded but one"])
@pytest.mark.parametrize(
    "between", ["nothing", "resumed", "paused and continued", "deadline moved", "the rest excluded"]
)
def test_a_wave_in_which_nothing_succeeded_holds_whatever_happens_on_the_way(outcome: str, between: str) -> None:
    run = wave_of_two(deadline="1h")
    nothing(run, outcome)
    if between == "resumed":
        run.record(e.RunEnded(run.now, "stopped", "x", 5), e.RunResumed(run.now, "0"), e.Surveyed(run.now, 0))
    elif between == "paused and continued":
        run.ask("pause")
        run.ask("continue")
    elif between == "deadline moved":
        run.record(e.IntakeEnded(run.now, DEADLINE_PASSED), e.RunResumed(run.now, "0"), e.Surveyed(run.now, 0))
        run.ask("set", deadline="1d", deadline_at=str(run.now + 86_400.0))
    elif between == "the rest excluded":
        run.ask("exclude", "true")
    run.pass_gates()
    assert run.facts.controls.held is not None
    assert run.facts.controls.held.rule == StopRule.NOTHING_SUCCEEDED
    assert run.ask("continue") is None
    run.pass_gates()
    assert run.facts.rollout is not None
    assert run.facts.rollout.current >= 1


@pytest.mark.parametrize(
    ("approve", "outcomes", "why"),
    [(False, "ff", "no server of wave w succeeded"), (True, "ss", "wave w is not approved")],
)
def test_a_run_that_ends_before_its_last_wave_is_passed_is_not_finished(approve: bool, outcomes: str, why: str) -> None:
    waves = [{"name": "w", "approve": approve}]
    run = ByHand(rollout_plan({"waves": waves, "deadline": "1h"}, fleet(2), steps=[step("upgrade", 2)]))
    run.pass_gates()
    run.do(0, outcomes)
    run.pass_gates()
    run.now += 7200.0
    run.pass_gates()
    ended = verdict(run.facts)
    assert (ended.state, ended.reason) == ("stopped", f"{DEADLINE_PASSED}: {why}")


def test_a_wave_that_was_excluded_as_a_whole_is_passed_before_and_while_it_is_at_work() -> None:
    for is_begun in (False, True):
        run = wave_of_two()
        if not is_begun:
            run = ByHand(run.plan)
        run.ask("exclude", 'name in ["name-000", "name-001"]')
        run.pass_gates()
        assert run.facts.controls.held is None
        assert run.facts.rollout is not None
        assert run.facts.rollout.current == 1
        assert run.decide() == Send(2)


def test_a_wave_whose_servers_got_no_further_than_the_first_step_holds() -> None:
    run = wave_of_two("one", "two")
    for request in (0, 1):
        run.do(request, "s")
    run.pass_gates()
    assert run.facts.controls.held is None
    while isinstance(sent := run.decide(), Send):
        run.do(sent.request, "k")
    run.pass_gates()
    assert run.facts.controls.held is not None
