"""The gate never waits for nobody, and does not decide before what was asked of a run is taken in."""

from __future__ import annotations

from typing import Any

import pytest

from runner.run import events as e
from runner.run.decisions import Send
from runner.run.facts import initial_facts
from runner.run.gate import DEADLINE_PASSED, Patience, Record, Sleep
from runner.run.live import LiveRun
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
